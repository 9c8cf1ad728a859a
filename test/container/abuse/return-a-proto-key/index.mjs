export function execute() {
  return JSON.parse('{"a":{"__proto__":{"polluted":true}}}');
}
