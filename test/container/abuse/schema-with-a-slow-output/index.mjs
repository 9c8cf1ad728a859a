export const execute = () => ({ text: `${'a'.repeat(60)}!` });
