import { expect, it } from 'vitest'
import { RecentMap } from '../src/recent-map.ts'

it('a map of recent things forgets what was not asked for or set for the longest', () => {
  const map = new RecentMap<string, number>(2).set('a', 1).set('b', 2)
  expect(map.get('a')).toBe(1)
  map.set('c', 3)
  expect([...map]).toEqual([
    ['a', 1],
    ['c', 3],
  ])
  map.set('a', 4).set('d', 5)
  expect([...map.keys()]).toEqual(['a', 'd'])
  expect(map.get('b')).toBeUndefined()
})
