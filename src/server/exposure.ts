import type { AccessOptions } from './auth/server-auth.ts'

/** Who can reach a registry, and what protects it. */
export interface Exposure extends AccessOptions {
  readonly host: string
  readonly readOnly: boolean
  readonly trustedProxies?: readonly string[] | undefined
}

/** What whoever lets others reach a registry should hear before it is found out: of a loopback address nothing. */
export function exposureWarnings(exposure: Exposure): string[] {
  const { host, auth, access, tls, readOnly, trustedProxies = [] } = exposure
  if (/^(?:localhost|127\.[\d.]+|::1)$/.test(host)) return []
  const takesPasswords = auth?.kind === 'basic' || auth?.kind === 'token'
  const hasLogins = (auth !== undefined && auth.kind !== 'anonymous') || tls?.clientCaFile !== undefined
  const hasRules = access !== undefined && (!('reload' in access) || access.current !== undefined)
  const isOpen = !hasLogins && !hasRules && !readOnly
  const isPlain = takesPasswords && tls === undefined && trustedProxies.length === 0
  const warnings: string[] = []
  if (isOpen)
    warnings.push(`everybody who can reach ${host} may push and delete: there are no users and no rules`)
  if (isPlain) {
    const remedy = 'TLS is needed, or a proxy that has it, in trustedProxies'
    warnings.push(`passwords come to ${host} over plain HTTP: ${remedy}`)
  }
  return warnings
}
