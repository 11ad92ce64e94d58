import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The programs of others that tests run beside ours; `.ci/run install_peers` installs them. */
export type Peer =
  | 'crane'
  | 'dbus-run-session'
  | 'dbus-send'
  | 'docker-credential-pass'
  | 'docker-credential-secretservice'
  | 'docker-registry'
  | 'gnome-keyring-daemon'
  | 'gpg'
  | 'nginx'
  | 'oci-conformance'
  | 'openssl'
  | 'oras'
  | 'pass'
  | 'podman'
  | 'script'
  | 'skopeo'
  | 'tinyproxy'

/** Where a peer is, by `PATH`; undefined when it is not installed. */
export function peer(name: Peer): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '')
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

/**
 * True when all of them are installed: `describe.skipIf(!requirePeers('crane'))('crane reads …', …)`.
 * @throws Error in CI (`CI=true`), where none may be missing
 */
export function requirePeers(...names: Peer[]): boolean {
  const missing = names.filter(name => peer(name) === undefined)
  if (missing.length > 0 && process.env.CI === 'true') {
    throw new Error(`not installed: ${missing.join(', ')}; ".ci/run install_peers" installs them`)
  }
  return missing.length === 0
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
