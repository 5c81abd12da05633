/** Does what its data says: an application module for the tests of worker groups. */
export default function main(stack, { worker, count, data, send }) {
  if (data.failAt === worker) throw Object.assign(new Error('cannot begin'), { code: 'EBEGIN' });
  send({ worker, count, shards: stack.get('shards'), shard: stack.get('shard'), name: stack.name });
  if (data.throwAt === worker) setTimeout(() => stack.set('noSuchSetting', 1), 20);
  if (data.exitAt === worker) setTimeout(() => process.exit(7), 20);
  if (data.linger === worker) setInterval(() => undefined, 1000);
  stack.createServer().listen(80);
  return () => {
    if (data.failCloseAt === worker) throw new Error('cannot end');
    send({ worker, bye: true });
  };
}
