import { RegistryFault } from '../errors.ts'
import { type Access, covers, repositoryAccess } from './access.ts'

/** Says who may do what. A user is somebody who logged in; undefined stands for who did not. */
export interface Policy {
  /** True when something can be done without a login. */
  readonly servesAnybody: boolean
  /** Of the actions that are wanted in one place, those that are allowed. */
  allow(user: string | undefined, wanted: Access): Access
}

/** What a request may do besides what it was let in for. */
export interface Grant {
  /** True when content of this repository may be used, as a mount does. */
  mayPull(repository: string): boolean
  /** True when the catalog shows this repository. */
  maySee(repository: string): boolean
}

/** Anybody may do anything. */
export const openPolicy: Policy = {
  servesAnybody: true,
  allow: (_, wanted) => wanted,
}

/** Users may do anything; others may pull, or nothing. */
export function usersPolicy(anonymousPull: boolean): Policy {
  return {
    servesAnybody: anonymousPull,
    allow: (user, wanted) => {
      if (user !== undefined) return wanted
      const mayPull = anonymousPull && wanted.type === 'repository'
      return { ...wanted, actions: mayPull ? wanted.actions.filter(action => action === 'pull') : [] }
    },
  }
}

/** A policy that is made again when what it is made of has changed; after a failure it stays as it was. */
export function changingPolicy(
  source: { readonly current: unknown; reload(): Promise<void> },
  make: () => Policy,
): { readonly policy: Policy; reload(): Promise<void> } {
  let seen = source.current
  let policy = make()
  return {
    policy: {
      get servesAnybody() {
        return policy.servesAnybody
      },
      allow: (user, wanted) => policy.allow(user, wanted),
    },
    async reload() {
      await source.reload()
      if (source.current === seen) return
      seen = source.current
      policy = make()
    },
  }
}

/** True when all that is wanted is allowed. */
export function permits(policy: Policy, user: string | undefined, wanted: readonly Access[]): boolean {
  return covers(
    wanted.map(access => policy.allow(user, access)),
    wanted,
  )
}

/**
 * What a user may do who wants this.
 * @throws RegistryFault `DENIED` where something of it is not allowed
 */
export function grantTo(user: string | undefined, wanted: readonly Access[], policy: Policy): Grant {
  if (!permits(policy, user, wanted)) {
    const who = user === undefined ? 'without a login this' : 'this'
    throw new RegistryFault('DENIED', `${who} is not allowed`, { detail: wanted })
  }
  const mayPull = (repository: string) => permits(policy, user, [repositoryAccess(repository, ['pull'])])
  return { mayPull, maySee: mayPull }
}
