"""One process, one client: who am I, twice a second, for as many seconds as the first argument says, once at least."""

import sys
import time

import boto3

end = time.monotonic() + float(sys.argv[1])
client = None
while True:
    try:
        client = client or boto3.client("sts")
        print(client.get_caller_identity()["Arn"], flush=True)
    except Exception as error:
        print("error:", type(error).__name__, " ".join(str(error).split()), flush=True)
    time.sleep(0.5)
    if time.monotonic() >= end:
        break
