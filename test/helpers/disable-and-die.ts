// node disable-and-die.ts <workspace> <plugin>
// Changes a state, and is killed before the log of the database is folded into it.

import { createLurkbox } from '../../src/index.ts';

const [workspaceRoot = '', name = ''] = process.argv.slice(2);
const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
const lurkbox = await createLurkbox({ workspaceRoot, maxWarm: 0, env });
lurkbox.plugins.disablePlugin(name);
process.kill(process.pid, 'SIGKILL');
