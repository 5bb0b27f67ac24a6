import * as vscode from 'vscode';
import type { GitCredential } from '../core/workspaceSetup.ts';

/**
 * The person's GitHub session as the password of a clone. Only what stands there as `https://github.com/` is GitHub: no
 * port, no user, no other spelling of the host. Never leaves memory here.
 */
export function gitHubCredential(url: string): GitCredential | undefined {
  if (!url.startsWith('https://github.com/')) return undefined;
  return {
    read: async mayAsk => {
      const options = mayAsk ? { createIfNone: true } : { silent: true };
      // A person who does not want to sign in rejects it.
      const session = await vscode.authentication.getSession('github', ['repo'], options).then(
        found => found,
        () => undefined,
      );
      return session?.accessToken;
    },
  };
}
