import { readFileSync } from 'node:fs';

export function execute({ inputData: { answers, calls } }) {
  try {
    process.dlopen({ exports: {} }, '/plugin/probe.node');
  } catch {
    // Everything happens while it is loaded; it is no module of Node.
  }
  const returned = readFileSync(answers);
  const table = JSON.parse(calls);
  const takenIn = table.filter(
    ({ refusals }, index) => !refusals.includes(Number(returned.readBigInt64LE(index * 8))),
  );
  return { takenIn: takenIn.map(({ name }) => name), many: table.length > 100 };
}
