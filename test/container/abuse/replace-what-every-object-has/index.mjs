const NAMES = [
  'jsonrpc',
  'id',
  'result',
  'error',
  'method',
  'params',
  'kind',
  'bytes',
  'code',
  'message',
  'data',
];

export function execute() {
  for (const name of [...NAMES, 'writable', 'value', 'get', 'fd', 'length', 'toJSON', 'then']) {
    Object.defineProperty(Object.prototype, name, { __proto__: null, get: () => undefined, set() {} });
  }
  return ['done'];
}
