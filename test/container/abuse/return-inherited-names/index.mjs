export function execute() {
  return {
    constructor: { prototype: { polluted: true } },
    toString: 'x',
    hasOwnProperty: null,
    valueOf: 'y',
  };
}
