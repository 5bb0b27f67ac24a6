import type { InstanceRecord } from './instance.ts';

/** What a first set-up would take of the person's. */
export interface CredentialUse {
  /** Whom it opens: a host, with its port where that is not the usual one. */
  readonly host: string;
  /** `account`: a token of the person's account there. `keys`: the ssh keys that git finds where the instance runs. */
  readonly kind: 'account' | 'keys';
  readonly url: string;
  readonly instance: Pick<InstanceRecord, 'id' | 'providerId' | 'config'>;
}

/** What is to be copied when a folder is. */
export interface FolderFacts {
  /** Where it really lies. */
  readonly path: string;
  readonly bytes: number;
  readonly files: number;
  /** Repositories elsewhere that it is a part of, which come along. */
  readonly outside: readonly string[];
}

/** A folder as its copy was agreed to: what else it is a part of by then is not copied. */
export type AgreedFolder = Pick<FolderFacts, 'path' | 'outside'>;

/** A folder of the person's machine that is to be copied into an instance, or why it can't be: that tells of it too. */
export type FolderUse = {
  /** The instance that it is for, which is not made yet. */
  readonly instance: Pick<InstanceRecord, 'providerId' | 'config'>;
} & (FolderFacts | { /** As it was named. */ readonly path: string; readonly problem: string });

/** Who answers for what a first set-up takes of the person's. */
export interface SetupConsent {
  /** A person asked for the instance: what is to be gone on with after a crash needs no further question. */
  readonly isLasting: boolean;
  /** Whether the person agrees. Whoever gives up waiting need not wait for the answer. */
  mayUse(use: CredentialUse): Promise<boolean>;
  mayCopy(use: FolderUse): Promise<boolean>;
}
