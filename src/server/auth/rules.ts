import { DrayError, quote } from '../../errors.ts'
import type { Access } from './access.ts'
import type { Policy } from './policy.ts'

/** What a rule can allow. `push` brings `pull` with it: no client can push without asking what is there. */
export type Right = 'pull' | 'push' | 'delete'

/** Allows something in some repositories to some people. */
export interface Rule {
  /** `team/app`, `library/*` (one component), `team/**` (one component or more), `**` (all). */
  readonly repositories: readonly string[]
  readonly allow: readonly Right[]
  /** Names of users; `*` stands for all who logged in. */
  readonly users?: readonly string[] | undefined
  /** Names of `groups`. */
  readonly groups?: readonly string[] | undefined
  /** To everybody, without a login too. */
  readonly anonymous?: boolean | undefined
}

/** All that anybody may do: what one rule allows is allowed, whatever the others say, and nothing else is. */
export interface AccessRules {
  readonly rules: readonly Rule[]
  /** The users of each group. */
  readonly groups?: Readonly<Record<string, readonly string[]>> | undefined
}

/** Rules that may change while they are in force. */
export interface AccessSource {
  /** Another object after each change; undefined where there are none. */
  readonly current: AccessRules | undefined
  /** Reads them again where they have changed; after a failure they stay as they were. */
  reload(): Promise<void>
}

/** What is wrong with a rule, or undefined. */
export function ruleFault(rule: Rule, groups: AccessRules['groups'] = {}): string | undefined {
  const unknown = rule.groups?.find(group => !Object.hasOwn(groups, group))
  if (unknown !== undefined) return `there is no group ${quote(unknown)}`
  const isForSomebody = rule.anonymous === true || rule.users?.length || rule.groups?.length
  if (!isForSomebody) return 'it is for nobody: it needs users, groups, or anonymous: true'
  return rule.repositories.map(patternFault).find(fault => fault !== undefined)
}

/**
 * The policy of rules. Who may log in, or everybody where nobody can, is shown the catalog with what they may pull.
 * @throws DrayError `USAGE` for a rule that makes no sense
 */
export function rulesPolicy({ rules, groups = {} }: AccessRules, hasLogins: boolean): Policy {
  for (const [at, rule] of rules.entries()) {
    const fault = ruleFault(rule, groups)
    if (fault !== undefined) throw new DrayError('USAGE', `rule ${at + 1}: ${fault}`)
  }
  const read = rules.map(rule => readRule(rule, groups))
  const rightsOf = (user: string | undefined, repository: string) =>
    new Set(read.filter(rule => rule.isFor(user) && rule.covers(repository)).flatMap(({ rights }) => rights))
  return {
    servesAnybody: rules.some(({ anonymous }) => anonymous === true),
    allow: (user, wanted) => {
      if (wanted.type === 'registry') return user !== undefined || !hasLogins ? wanted : nothingOf(wanted)
      const rights = rightsOf(user, wanted.name)
      const mayAll = allRights.every(right => rights.has(right))
      return { ...wanted, actions: wanted.actions.filter(action => mayAll || rights.has(action)) }
    },
  }
}

const allRights: readonly string[] = ['pull', 'push', 'delete'] satisfies Right[]

interface ReadRule {
  readonly rights: readonly string[]
  isFor(user: string | undefined): boolean
  covers(repository: string): boolean
}

function readRule(rule: Rule, groups: NonNullable<AccessRules['groups']>): ReadRule {
  const users = new Set([...(rule.users ?? []), ...(rule.groups ?? []).flatMap(group => groups[group] ?? [])])
  const patterns = rule.repositories.map(readPattern)
  const isForAnybody = rule.anonymous === true
  return {
    rights: rule.allow.includes('push') ? ['pull', ...rule.allow] : rule.allow,
    isFor: user => isForAnybody || (user !== undefined && (users.has(user) || users.has('*'))),
    covers: repository => patterns.some(pattern => pattern.test(repository)),
  }
}

function patternFault(pattern: string): string | undefined {
  const isPattern = pattern
    .split('/')
    .every(part => part === '**' || /^(?:[a-z0-9._-]|\*(?!\*))+$/.test(part))
  return isPattern ? undefined : `${quote(pattern)} is no pattern of repositories`
}

function readPattern(pattern: string): RegExp {
  const parts = pattern.split('/').map(part => {
    if (part === '**') return '[^/]+(?:/[^/]+)*'
    return part.replaceAll('.', '\\.').replaceAll('*', '[^/]*')
  })
  return new RegExp(`^${parts.join('/')}$`)
}

function nothingOf(wanted: Access): Access {
  return { ...wanted, actions: [] }
}
