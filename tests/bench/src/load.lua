-- What wrk sends, from the environment, and the one line of JSON it ends with. A %d in the path
-- becomes one number after the other.

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init()
    wrk.method = os.getenv("BENCH_METHOD")
    wrk.path = os.getenv("BENCH_PATH")
    wrk.headers["X-Vault-Token"] = os.getenv("BENCH_TOKEN")
    local body = os.getenv("BENCH_BODY")
    if body then
        wrk.headers["Content-Type"] = "application/json"
        wrk.body = body
    end
    if wrk.path:find("%d", 1, true) then
        local path, from, to = wrk.path, tonumber(os.getenv("BENCH_FROM")), tonumber(os.getenv("BENCH_TO"))
        -- one below the first, and one more: wrk asks for a request before the run that it does not send
        local number = from - 2
        request = function()
            number = number + 1
            if number >= to then
                number = from
            end
            return wrk.format(nil, path:format(number))
        end
    end
    right, others = tonumber(os.getenv("BENCH_STATUS")), 0
end

function response(status)
    if status ~= right then
        others = others + 1
    end
end

function done(summary, latency)
    local others = 0
    for _, thread in ipairs(threads) do
        others = others + thread:get("others")
    end
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"others":%d,"broken":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), others,
        errors.connect + errors.read + errors.write + errors.timeout))
end
