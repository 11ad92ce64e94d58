/**
 * Joins scopes of the token protocol so that each resource stands once with all its actions, in a stable order:
 * `repository:a:pull` and `repository:a:push` become `repository:a:pull,push`. A text of several scopes with spaces
 * between them is taken apart. What is not of the form `type:name:actions` (ECR public's `aws`) is kept as it is.
 */
export function mergeScopes(scopes: readonly string[]): string[] {
  const actionsOf = new Map<string, Set<string>>()
  for (const scope of scopes.flatMap(text => text.split(/\s+/)).filter(text => text !== '')) {
    const first = scope.indexOf(':')
    const last = scope.lastIndexOf(':')
    const isWhole = first >= 0 && last > first
    const resource = isWhole ? scope.slice(0, last) : scope
    const actions = actionsOf.get(resource) ?? new Set()
    for (const action of isWhole ? scope.slice(last + 1).split(',') : []) actions.add(action)
    actionsOf.set(resource, actions)
  }
  return [...actionsOf]
    .map(([resource, actions]) =>
      actions.size === 0 ? resource : `${resource}:${[...actions].sort().join(',')}`,
    )
    .sort()
}

/** What reading, or reading and writing, one repository needs. */
export function repositoryScope(repository: string, actions: 'pull' | 'pull,push'): string {
  return `repository:${repository}:${actions}`
}
