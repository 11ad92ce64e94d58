/** Each program with the flags that plain HTTP or a private authority want. */
import type { Command, Scene } from './case.ts'
import { dray } from './programs.ts'

/** Our program, which by itself speaks plain HTTP on loopback and TLS when it is given an authority. */
export function ours({ authority }: Scene, args: readonly string[]): Command {
  return dray(...args, ...(authority === undefined ? [] : ['--ca-file', authority]))
}

/** crane tries TLS first on loopback, whatever it is told. */
export function crane({ authority }: Scene, args: readonly string[]): Command {
  const insecure = authority === undefined ? ['--insecure'] : []
  return { program: 'crane', args: [...args, ...insecure], env: trust(authority) }
}

/** `skopeo copy`, all platforms. */
export function skopeoCopy(scene: Scene, source: string, destination: string): Command {
  const open = (end: 'src' | 'dest', location: string) =>
    scene.authority === undefined && location.startsWith('docker:') ? [`--${end}-tls-verify=false`] : []
  const flags = ['--all', ...open('src', source), ...open('dest', destination)]
  return skopeo(scene, ['copy', ...flags, source, destination])
}

/**
 * skopeo keeps in a cache where it has met a blob, which the runs of a bench must not share. For users it lies in `HOME`,
 * which is new for each run; for root in `/var/lib`, unless root is said to stand for a user.
 */
export function skopeo({ authority }: Scene, args: readonly string[]): Command {
  const env = { ...trust(authority), _CONTAINERS_ROOTLESS_UID: '1000' }
  return { program: 'skopeo', args: ['--insecure-policy', ...args], env }
}

/** oras; its flags about plain HTTP come from `orasEnd`. */
export function oras({ authority }: Scene, args: readonly string[]): Command {
  return { program: 'oras', args, env: trust(authority) }
}

/** How oras is told of plain HTTP, at one of two ends or at its only one. */
export function orasEnd({ authority }: Scene, end?: 'from' | 'to'): string[] {
  return authority === undefined ? [`--${end === undefined ? '' : `${end}-`}plain-http`] : []
}

/** Programs in Go take their authorities from this file. */
function trust(authority: string | undefined): Record<string, string> {
  return authority === undefined ? {} : { SSL_CERT_FILE: authority }
}
