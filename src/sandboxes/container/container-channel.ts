import type { ContainerStdin } from '../../engine/engine.ts';
import { HOST_METHODS } from '../../host/methods.ts';
import { RequestServer } from '../../host/request-server.ts';
import type { Logger } from '../../logger.ts';
import { frameRecord } from '../../protocol/framing.ts';
import { RecordWriter } from './record-writer.ts';

/** The end of the host: what it writes, and what it answers to the requests of a plugin. */
export interface ContainerChannel {
  readonly writer: RecordWriter;
  readonly server: RequestServer;
}

export function openChannel(stdin: ContainerStdin, logger: Logger): ContainerChannel {
  const writer = new RecordWriter(stdin);
  const server = new RequestServer({
    methods: HOST_METHODS,
    send: (json) => writer.write(frameRecord(json)),
    onFailure: (method, err) => logger.error({ err, method }, 'a request of a plugin failed in the host'),
  });
  return { writer, server };
}
