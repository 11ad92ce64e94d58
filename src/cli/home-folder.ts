import { userInfo } from 'node:os'

/**
 * The user's home folder: `HOME`, else what the system says. A `HOME` that is empty counts as none, so that no logins are
 * taken from the folder that somebody happens to stand in. It is `/` for a user whom the system does not know, as container
 * runtimes have it.
 * @param homeOf asks the system; throws where it does not know the user
 */
export function homeFolder(home: string | undefined, homeOf = () => userInfo().homedir): string {
  if (home) return home
  try {
    return homeOf() || '/'
  } catch {
    return '/'
  }
}
