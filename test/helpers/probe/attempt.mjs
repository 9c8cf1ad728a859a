/** Lies beside the payload of every case: tries forbidden things and says of each what came of it. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** `{ name: function }` → `{ name: what came of it }`, one after the other. */
export async function tryAll(attempts) {
  const answers = {};
  for (const [name, act] of Object.entries(attempts)) answers[name] = await attempt(act);
  return answers;
}

/** The code or message of the failure; `succeeded`, or `got …` when there is a text to show. */
export async function attempt(act) {
  try {
    const value = await act();
    return typeof value === 'string' ? `got ${value}` : 'succeeded';
  } catch (error) {
    return String(error?.code ?? error?.message ?? error);
  }
}

/** Resolves when somebody accepts; rejects with the code of the failure, or `TIMEOUT` after a second. */
export function knock(target) {
  return new Promise((resolve, reject) => {
    const socket = connect(typeof target === 'string' ? { path: target } : target);
    const end = (settle, value) => {
      clearTimeout(timer);
      socket.destroy();
      settle(value);
    };
    const timer = setTimeout(() => end(reject, { code: 'TIMEOUT' }), 1000);
    socket.once('connect', () => end(resolve));
    socket.once('error', (error) => end(reject, error));
  });
}

/** Loads the machine code beside the payload; it leaves a line `name=EPERM` for each of its attempts. */
export function runProbe() {
  try {
    process.dlopen({ exports: {} }, '/plugin/probe.node');
  } catch (error) {
    // Everything happens while it is loaded; that it is no module of Node is found out after.
    if (!/did not self-register/.test(error.message)) throw error;
  }
  const lines = readFileSync('/tmp/probe', 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split('=')));
}
