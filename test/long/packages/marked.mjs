import { marked } from 'marked';

export const execute = () => marked.parse('# Title\n\n- *one*\n- `two`\n');
