export const execute = () => ({});
