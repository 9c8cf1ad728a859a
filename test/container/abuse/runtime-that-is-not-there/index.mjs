export const execute = () => 'it ran';
