// The entry point that Lambda calls: index.handler.
import { createHandler } from "./handler.mjs";

export const handler = createHandler({
  env: process.env,
  // Not console.log: Lambda puts a time, a request id and a level before each of its lines, and they are JSON no more.
  write: (line) => process.stdout.write(`${line}\n`),
});
