// One process, one client: who am I, twice a second, for as many seconds as the first argument says, once at least.
import { setTimeout as pause } from "node:timers/promises";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const end = performance.now() + 1000 * Number(process.argv[2]);
const client = new STSClient();
do {
  try {
    console.log((await client.send(new GetCallerIdentityCommand())).Arn);
  } catch (error) {
    console.log(`error: ${error.name} ${error.message}`.replace(/\s+/g, " "));
  }
  await pause(500);
} while (performance.now() < end);
