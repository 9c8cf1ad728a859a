import Fuse from 'fuse.js';

export const execute = () => new Fuse(['apple', 'banana', 'orange'], {}).search('aple')[0].item;
