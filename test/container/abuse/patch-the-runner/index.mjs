import fs from 'node:fs';
import net from 'node:net';

export function execute() {
  const forged = '{"jsonrpc":"2.0","id":1,"result":"forged"}';
  JSON.stringify = () => '"forged"';
  JSON.parse = () => ({ method: 'cancel' });
  String.prototype.slice = () => 'forged';
  Array.prototype.join = () => forged;
  // biome-ignore lint/suspicious/noThenProperty: this is the attack
  Promise.prototype.then = () => undefined;
  Object.defineProperty(Object.prototype, 'method', { get: () => 'cancel', set: () => {} });
  Object.defineProperty(Object.prototype, 'toJSON', { value: () => 'forged' });
  Buffer.from = () => Uint8Array.from([0]);
  fs.writeSync = () => 0;
  net.Socket.prototype.write = () => true;
  process.stdout.write = () => true;
  Reflect.apply = () => undefined;
  globalThis.Function.prototype.call = () => undefined;
  return { own: 'result' };
}
