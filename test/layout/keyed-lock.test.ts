import { describe, expect, it } from 'vitest'
import { KeyedLock } from '../../src/layout/keyed-lock.ts'

describe('work that items of one key share', () => {
  it('is done once for all that came before its turn, and once more for those who came later', async () => {
    const locks = new KeyedLock()
    const turns: string[][] = []
    const later: Promise<void>[] = []
    const add = (item: string) =>
      locks.together('key', item, async items => {
        turns.push([...items])
        // It has begun: who comes now is not part of it.
        if (turns.length === 1) later.push(add('c'), add('d'))
        await Promise.resolve()
      })
    await Promise.all([add('a'), add('b')])
    await Promise.all(later)
    expect(turns).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
  })

  it('is not shared past other work on the key', async () => {
    const locks = new KeyedLock()
    const order: string[] = []
    const add = (item: string) =>
      locks.together('key', item, async items => {
        order.push(items.join(' '))
      })
    const alone = () => locks.run('key', async () => order.push('alone'))
    await Promise.all([add('a'), add('b'), alone(), add('c'), alone(), alone(), add('d'), add('e')])
    expect(order).toEqual(['a b', 'alone', 'c', 'alone', 'alone', 'd e'])
  })

  it('is that of one key alone', async () => {
    const locks = new KeyedLock()
    const turns: string[] = []
    const add = (key: string, item: string) =>
      locks.together(key, item, async items => {
        turns.push(`${key}: ${items.join(' ')}`)
      })
    await Promise.all([add('one', 'a'), add('two', 'b'), add('one', 'c')])
    expect(turns.sort()).toEqual(['one: a c', 'two: b'])
  })

  it('fails for all of them, and not for those who come later', async () => {
    const locks = new KeyedLock()
    const fault = new Error('the work')
    const fail = () => locks.together('key', 'item', () => Promise.reject(fault))
    const outcomes = await Promise.allSettled([fail(), fail()])
    expect(outcomes).toEqual([
      { status: 'rejected', reason: fault },
      { status: 'rejected', reason: fault },
    ])
    await expect(locks.together('key', 'item', async () => undefined)).resolves.toBeUndefined()
  })
})
