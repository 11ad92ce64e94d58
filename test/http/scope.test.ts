import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergeScopes, repositoryScope } from '../../src/http/scope.ts'

describe('scopes are merged', () => {
  it.each([
    ['none', [], []],
    ['empty texts', ['', '  '], []],
    ['one as it is', ['repository:a:pull'], ['repository:a:pull']],
    [
      'the actions of one resource, sorted',
      ['repository:a:push', 'repository:a:pull'],
      ['repository:a:pull,push'],
    ],
    ['the same twice', ['repository:a:pull', 'repository:a:pull'], ['repository:a:pull']],
    [
      'different resources, sorted',
      ['repository:b:pull', 'repository:a:pull'],
      ['repository:a:pull', 'repository:b:pull'],
    ],
    [
      'several in one text',
      ['repository:a:pull repository:b:pull', 'repository:a:delete'],
      ['repository:a:delete,pull', 'repository:b:pull'],
    ],
    [
      'a repository with a port',
      ['repository:h:5000/a:pull', 'repository:h:5000/a:push'],
      ['repository:h:5000/a:pull,push'],
    ],
    ['a scope of another form', ['aws', 'aws', 'registry:catalog:*'], ['aws', 'registry:catalog:*']],
    ['a class in parentheses', ['repository(plugin):a:pull'], ['repository(plugin):a:pull']],
  ])('%s', (_, scopes, expected) => {
    expect(mergeScopes(scopes)).toEqual(expected)
  })

  it('once: a merged list stays as it is, in any order', () => {
    const name = fc.constantFrom('a', 'b', 'h:5000/c')
    const actions = fc.subarray(['pull', 'push', 'delete'], { minLength: 1 })
    const scope = fc
      .tuple(name, actions)
      .map(([repository, wanted]) => `repository:${repository}:${wanted.join(',')}`)
    fc.assert(
      fc.property(fc.array(scope), scopes => {
        const merged = mergeScopes(scopes)
        expect(mergeScopes(merged)).toEqual(merged)
        expect(mergeScopes(scopes.toReversed())).toEqual(merged)
      }),
    )
  })
})

it('a repository is scoped by its name', () => {
  expect(repositoryScope('org/app', 'pull,push')).toBe('repository:org/app:pull,push')
})
