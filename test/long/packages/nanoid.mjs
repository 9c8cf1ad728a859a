import { customAlphabet } from 'nanoid';

export const execute = () => /^[ab]{12}$/.test(customAlphabet('ab', 12)());
