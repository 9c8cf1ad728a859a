import type { ContainerEngine } from '../../engine/engine.ts';
import type { Logger } from '../../logger.ts';
import type { Grant } from '../../policy/grant.ts';
import type { Reaper } from '../cleanup/reaper.ts';
import { Container } from './container.ts';
import type { ContainerPlan, ContainerUser } from './container-plan.ts';

export interface ContainerFactoryOptions {
  readonly grant: Grant;
  readonly entryPoint: string;
  readonly version: string;
  readonly connect: () => Promise<ContainerEngine>;
  readonly ownerLabels: Readonly<Record<string, string>>;
  readonly reaper: Reaper;
}

/** What differs between the containers of one plugin version. */
export interface ContainerNeeds {
  readonly id: string;
  readonly engine: ContainerEngine;
  /** Image id. */
  readonly image: string;
  readonly logger: Logger;
}

/** Plans and starts the containers of one plugin version, whether a call has come or they wait for one. */
export class ContainerFactory {
  readonly #options: ContainerFactoryOptions;

  constructor(options: ContainerFactoryOptions) {
    this.#options = options;
  }

  get grant(): Grant {
    return this.#options.grant;
  }

  get entryPoint(): string {
    return this.#options.entryPoint;
  }

  connect(): Promise<ContainerEngine> {
    return this.#options.connect();
  }

  plan(needs: ContainerNeeds): ContainerPlan {
    const { grant, entryPoint, version, ownerLabels, reaper } = this.#options;
    return { ...needs, grant, entryPoint, version, ownerLabels, onSuspicion: () => reaper.suspect() };
  }

  /** The reaper knows it from before it is created until after it was removed. */
  start(plan: ContainerPlan, user: ContainerUser): Container {
    const live = this.#options.reaper.admit(plan.id);
    const container = new Container(plan, user);
    void container.removed.then(() => live[Symbol.dispose]());
    return container;
  }
}
