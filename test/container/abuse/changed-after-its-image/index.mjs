export const execute = () => 'original';
