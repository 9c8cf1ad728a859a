import type Docker from 'dockerode';

/** A client that speaks the version that both sides know. */
export interface Link {
  readonly docker: Docker;
  readonly apiVersion: string;
}
