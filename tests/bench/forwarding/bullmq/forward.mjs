// One job an event, as BullMQ's guide has it: `node forward.mjs add|work <redis> <sink> [count]`.
import { Agent, request } from "node:http";
import { Queue, Worker } from "bullmq";

const [what, redis, sink, count] = process.argv.slice(2);
const { hostname, port, password } = new URL(redis);
const connection = { host: hostname, port: Number(port), password, maxRetriesPerRequest: null };
const agent = new Agent({ keepAlive: true });

function post(event) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const sent = request(sink, { method: "POST", agent, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => (answer.statusCode === 202 ? resolve() : reject(new Error(`${answer.statusCode}`))));
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(event));
  });
}

if (what === "add") {
  const queue = new Queue("forward", { connection });
  const event = JSON.parse(process.argv[6]);
  for (let left = Number(count); left > 0; left -= 500) {
    const jobs = Array.from({ length: Math.min(500, left) }, (_, at) => ({
      name: "event",
      data: { ...event, id: `${left}-${at}` },
      opts: { removeOnComplete: true, attempts: 5 },
    }));
    await queue.addBulk(jobs);
  }
  await queue.close();
} else {
  new Worker("forward", (job) => post(job.data), { connection, concurrency: 50 });
}
