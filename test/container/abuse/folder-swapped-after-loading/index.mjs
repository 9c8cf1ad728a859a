export const execute = () => 'ran';
