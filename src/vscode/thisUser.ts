import * as os from 'node:os';

/**
 * Whoever runs this. A user id without an account, as in containers that run as any user, has no name, and Node throws;
 * then the environment's is taken, or the number.
 */
export function thisUser(env: Readonly<Record<string, string | undefined>> = process.env): string {
  try {
    return os.userInfo().username;
  } catch {
    return env.USER || env.LOGNAME || env.USERNAME || `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
