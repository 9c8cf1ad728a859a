import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { interruption } from './interruption.ts';

/** Whether somebody is there to be asked. */
export function isTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Asks for a yes; anything else is a no. */
export async function askFor(what: string): Promise<boolean> {
  const question = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const ended = once(question, 'close').then(() => '');
    const asked = question.question(`${what} (y/N) `, { signal: interruption() });
    // Whoever ends the input, or interrupts, says no.
    return isYes(await Promise.race([asked.catch(() => ''), ended]));
  } finally {
    question.close();
  }
}

function isYes(answer: string): boolean {
  return /^y(es)?$/i.test(answer.trim());
}
