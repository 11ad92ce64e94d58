/** What a request wants to do to one thing, in the words of distribution's token specification. */
export interface Access {
  readonly type: 'repository' | 'registry'
  readonly name: string
  readonly actions: readonly string[]
}

/** Leave to list all repositories. */
export const catalogAccess: Access = { type: 'registry', name: 'catalog', actions: ['*'] }

/** Leave to do something in one repository: `pull`, `push`, `delete`. */
export function repositoryAccess(name: string, actions: readonly string[]): Access {
  return { type: 'repository', name, actions }
}

/** `repository:org/app:pull,push`, several joined by spaces. */
export function formatScope(accesses: readonly Access[]): string {
  return accesses.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' ')
}

/** Reads a scope; what is of no known type or malformed is left out, as if it had not been asked for. */
export function parseScope(scope: string): Access[] {
  const accesses: Access[] = []
  for (const part of scope.split(' ')) {
    const match = /^(repository|registry):(.+):([a-z*]+(?:,[a-z*]+)*)$/.exec(part)
    const [, type, name, actions] = match ?? []
    if ((type !== 'repository' && type !== 'registry') || name === undefined) continue
    accesses.push({ type, name, actions: actions?.split(',') ?? [] })
  }
  return accesses
}

/** True when what is granted holds all that is wanted. */
export function covers(granted: readonly Access[], wanted: readonly Access[]): boolean {
  return wanted.every(({ type, name, actions }) =>
    actions.every(action =>
      granted.some(
        grant =>
          grant.type === type &&
          grant.name === name &&
          (grant.actions.includes(action) || grant.actions.includes('*')),
      ),
    ),
  )
}
