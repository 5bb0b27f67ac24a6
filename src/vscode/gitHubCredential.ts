import * as vscode from 'vscode';

/** The person's GitHub session as the password of a clone; never asks to sign in, and never leaves memory here. */
export async function gitHubCredential(url: string): Promise<string | undefined> {
  if (!url.startsWith('https://github.com/')) return undefined;
  const session = await vscode.authentication.getSession('github', ['repo'], { silent: true });
  return session?.accessToken;
}
