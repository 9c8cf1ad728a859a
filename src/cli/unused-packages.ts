import { registerHooks } from 'node:module';
import * as z from 'zod/v4/core';

/** What dockerode and its modem load for builds over gRPC and for SSH. Nothing here builds or connects that way. */
const UNUSED = ['@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs', 'ssh2'];
const OWNERS = /[/\\]node_modules[/\\](dockerode|docker-modem)[/\\]/;
const NOTHING = 'lurkbox:nothing';

/** Spares a short process what takes long to load and pays only in a long one. For the whole process, which is ours alone. */
export function loadLess(): void {
  // Code that zod would write for each schema is faster from some hundred values on.
  z.config({ jitless: true });
  registerHooks({
    resolve: (specifier, context, next) =>
      UNUSED.includes(specifier) && OWNERS.test(context.parentURL ?? '')
        ? { url: NOTHING, format: 'commonjs', shortCircuit: true }
        : next(specifier, context),
    load: (url, context, next) =>
      url === NOTHING
        ? { format: 'commonjs', source: 'module.exports = {};', shortCircuit: true }
        : next(url, context),
  });
}
