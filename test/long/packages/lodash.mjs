import _ from 'lodash';

export const execute = () => ({
  groups: _.groupBy([1.2, 1.8, 2.1], Math.floor),
  template: _.template('Hi <%= name %>')({ name: 'Ada' }),
  merged: _.merge({ a: { b: 1 } }, { a: { c: 2 } }),
});
