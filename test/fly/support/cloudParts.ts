import type { Schemas } from '../../../src/providers/fly/flyApi.ts';
import type { MachineProcess } from './machineProcess.ts';

export type Config = Schemas['fly.MachineConfig'];

/** How the stand-in refuses, as Fly does. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string | undefined;

  constructor(status: number, message: string, code?: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface CloudApp {
  readonly name: string;
  /** On the clock of `performance.now()`, as are all of them here. */
  readonly madeAt: number;
  readonly organization: string;
  readonly network: string;
  readonly ips: string[];
  readonly secrets: Map<string, string>;
  secretsVersion: number;
  readonly volumes: Map<string, CloudVolume>;
  readonly machines: Map<string, CloudMachine>;
  readonly log: { timestamp: string; message: string; instance: string }[];
}
export interface CloudVolume {
  readonly id: string;
  readonly name: string;
  readonly region: string;
  readonly sizeGb: number;
  readonly createdAt: string;
  readonly folder: string;
  machine: string | undefined;
  state: string;
}
export interface CloudMachine {
  readonly id: string;
  readonly name: string;
  readonly app: CloudApp;
  readonly region: string;
  readonly createdAt: string;
  readonly madeAt: number;
  config: Config;
  /** Of the image that its name led to when the config was put. */
  digest: string | undefined;
  state: string;
  version: string;
  updatedAt: string;
  /** It takes no start before. */
  readyAt: number;
  events: Schemas['MachineEvent'][];
  lease: { nonce: string; until: number } | undefined;
  process: MachineProcess | undefined;
  stopAsked: boolean;
  ranOutOfMemory: boolean;
  /** What a list that lags has of it, by when that was so. */
  readonly history: { at: number; row: Schemas['OrgMachine'] | undefined }[];
  readonly watchers: Set<() => void>;
}
