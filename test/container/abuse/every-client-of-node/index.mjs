import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import tls from 'node:tls';
import { Worker } from 'node:worker_threads';
import { tryAll } from './attempt.mjs';

const FETCH = `
const { parentPort, workerData } = require('node:worker_threads');
fetch(workerData).then(() => parentPort.postMessage('succeeded'), (error) => parentPort.postMessage(error.cause?.code ?? error.message));
`;

export function execute({ inputData: { lures } }) {
  const host = lures.addresses.find((address) => address !== '127.0.0.1') ?? '172.17.0.1';
  const { port } = lures;
  const url = `http://${host}:${port}/`;
  const answered = (emitter, event) =>
    new Promise((resolve, reject) => emitter.once(event, () => resolve()).once('error', reject));
  const socket = () => {
    const opened = new WebSocket(`ws://${host}:${port}`);
    return new Promise((resolve, reject) => {
      opened.addEventListener('open', () => resolve());
      opened.addEventListener('error', () => reject(new Error('no connection')));
    });
  };
  const throughProxy = (env) => () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(FETCH, { eval: true, env, workerData: 'http://example.org/' });
      worker
        .once('message', (code) => (code === 'succeeded' ? resolve() : reject(new Error(code))))
        .once('error', reject);
    });
  return tryAll({
    fetch: () => fetch(url).catch(({ cause }) => Promise.reject(cause)),
    http: () => answered(http.get(url), 'response'),
    https: () => answered(https.get(`https://${host}:${port}/`), 'response'),
    http2: () => answered(http2.connect(url), 'connect'),
    tls: () => answered(tls.connect({ host, port }), 'secureConnect'),
    webSocket: socket,
    engine: () => answered(http.get({ socketPath: '/var/run/docker.sock', path: '/info' }), 'response'),
    abstract: () => answered(http.get({ socketPath: lures.abstractSocket, path: '/' }), 'response'),
    file: () => fetch('file:///etc/passwd').catch(({ cause }) => Promise.reject(cause)),
    proxy: throughProxy({ NODE_USE_ENV_PROXY: '1', HTTP_PROXY: url, HTTPS_PROXY: url }),
    noProxy: throughProxy({ NODE_USE_ENV_PROXY: '0' }),
  });
}
