import { v4, v5, validate } from 'uuid';

export const execute = () => ({ valid: validate(v4()), named: v5('a.example', v5.DNS) });
