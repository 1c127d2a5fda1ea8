// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that can seal, and the transport that uses them.
 *
 * A registration is found under RCU. Who uses one beyond that holds a reference, which
 * keeps its memory only: whether it is still there is decided under device->lock, which
 * every operation of the driver runs under, so that nothing is added once it is going.
 * It leaves the list when it has no key any more: until then its contexts seal, and have
 * to be told of resets.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/refcount.h>

#include "sdp_offload.h"

/**
 * struct sdp_offload_device - a registration.
 * @link:     in the list of all; RCU.
 * @ops:      of the driver.
 * @dev:      the device; valid until sdp_offload_unregister() has returned.
 * @cuts:     of @ops.
 * @lock:     no operation runs without it.
 * @going:    nothing is added any more; written under @lock.
 * @keys:     number of keys; @lock.
 * @contexts: number of contexts; @lock.
 * @resets:   number of sdp_offload_reset().
 * @refs:     who may look at it.
 * @rcu:      frees it.
 */
struct sdp_offload_device {
	struct list_head link;
	const struct sdp_offload_ops *ops;
	struct net_device *dev;
	bool cuts;
	struct mutex lock;
	bool going;
	u32 keys;
	u32 contexts;
	atomic_t resets;
	refcount_t refs;
	struct rcu_head rcu;
};

/* Of both lists of changes: registrations and the transport. */
static DEFINE_MUTEX(registry_lock);
static LIST_HEAD(devices);
static const struct sdp_offload_transport __rcu *transport;

static struct sdp_offload_device *find_device(const struct net_device *dev)
{
	struct sdp_offload_device *device;

	list_for_each_entry_rcu(device, &devices, link,
				lockdep_is_held(&registry_lock))
		if (device->dev == dev)
			return device;
	return NULL;
}

static bool ops_complete(const struct sdp_offload_ops *ops)
{
	return ops->version == SDP_OFFLOAD_VERSION && ops->kinds && ops->ciphers &&
	       ops->contexts && ops->key_add && ops->key_del && ops->context_add &&
	       ops->context_del;
}

int sdp_offload_register(struct net_device *dev, const struct sdp_offload_ops *ops)
{
	struct sdp_offload_device *device;
	int err = 0;

	if (!ops_complete(ops))
		return -EINVAL;
	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	device->ops = ops;
	device->dev = dev;
	device->cuts = ops->cuts;
	mutex_init(&device->lock);
	refcount_set(&device->refs, 1);
	mutex_lock(&registry_lock);
	if (find_device(dev))
		err = -EEXIST;
	else
		list_add_rcu(&device->link, &devices);
	mutex_unlock(&registry_lock);
	if (err)
		kfree(device);
	return err;
}
EXPORT_SYMBOL_GPL(sdp_offload_register);

void sdp_offload_unregister(struct net_device *dev)
{
	const struct sdp_offload_transport *user;
	struct sdp_offload_device *device;

	mutex_lock(&registry_lock);
	device = find_device(dev);
	if (!device)
		goto unlock;
	mutex_lock(&device->lock);
	WRITE_ONCE(device->going, true);
	mutex_unlock(&device->lock);
	/* The transport cannot go meanwhile: it detaches under the lock. */
	user = rcu_dereference_protected(transport,
					 lockdep_is_held(&registry_lock));
	if (user)
		user->gone(device);
	WARN_ON_ONCE(device->keys || device->contexts);
	list_del_rcu(&device->link);
	/* Whoever has found it is done, or holds it. */
	synchronize_net();
	sdp_offload_put(device);
unlock:
	mutex_unlock(&registry_lock);
}
EXPORT_SYMBOL_GPL(sdp_offload_unregister);

bool sdp_offload_marked(const struct sk_buff *skb)
{
	const struct sdp_offload_transport *user;
	bool marked = false;

	if (likely(!skb_is_decrypted(skb)))
		return false;
	rcu_read_lock();
	user = rcu_dereference(transport);
	if (user)
		marked = user->marked(skb);
	rcu_read_unlock();
	return marked;
}
EXPORT_SYMBOL_GPL(sdp_offload_marked);

int sdp_offload_segment(const struct sk_buff *skb, struct net_device *dev, u16 queue,
			struct sdp_offload_segment *segment)
{
	const struct sdp_offload_transport *user;
	int err = -ENODEV;

	rcu_read_lock();
	user = rcu_dereference(transport);
	if (user)
		err = user->segment(skb, dev, queue, segment);
	rcu_read_unlock();
	return err;
}
EXPORT_SYMBOL_GPL(sdp_offload_segment);

void sdp_offload_posted(const struct sdp_offload_segment *segment)
{
	const struct sdp_offload_transport *user;

	rcu_read_lock();
	user = rcu_dereference(transport);
	if (user)
		user->posted(segment);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(sdp_offload_posted);

void sdp_offload_reset(struct net_device *dev)
{
	struct sdp_offload_device *device;

	rcu_read_lock();
	device = find_device(dev);
	if (device)
		atomic_inc(&device->resets);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(sdp_offload_reset);

bool sdp_offload_any(void)
{
	return !list_empty(&devices);
}
EXPORT_SYMBOL_GPL(sdp_offload_any);

int sdp_offload_attach(const struct sdp_offload_transport *user)
{
	int err = 0;

	mutex_lock(&registry_lock);
	if (rcu_access_pointer(transport))
		err = -EBUSY;
	else
		rcu_assign_pointer(transport, user);
	mutex_unlock(&registry_lock);
	return err;
}
EXPORT_SYMBOL_GPL(sdp_offload_attach);

void sdp_offload_detach(void)
{
	mutex_lock(&registry_lock);
	RCU_INIT_POINTER(transport, NULL);
	mutex_unlock(&registry_lock);
	synchronize_net();
}
EXPORT_SYMBOL_GPL(sdp_offload_detach);

bool sdp_offload_going(const struct sdp_offload_device *device)
{
	return READ_ONCE(device->going);
}
EXPORT_SYMBOL_GPL(sdp_offload_going);

struct sdp_offload_device *sdp_offload_find(const struct net_device *dev, u8 kind,
					    u8 cipher)
{
	struct sdp_offload_device *device = find_device(dev);

	if (!device || sdp_offload_going(device) || !(device->ops->kinds & BIT(kind)) ||
	    !(device->ops->ciphers & BIT(cipher)))
		return NULL;
	return device;
}
EXPORT_SYMBOL_GPL(sdp_offload_find);

bool sdp_offload_hold(struct sdp_offload_device *device)
{
	return refcount_inc_not_zero(&device->refs);
}
EXPORT_SYMBOL_GPL(sdp_offload_hold);

void sdp_offload_put(struct sdp_offload_device *device)
{
	if (refcount_dec_and_test(&device->refs))
		kfree_rcu(device, rcu);
}
EXPORT_SYMBOL_GPL(sdp_offload_put);

bool sdp_offload_cuts(const struct sdp_offload_device *device)
{
	return device->cuts;
}
EXPORT_SYMBOL_GPL(sdp_offload_cuts);

u32 sdp_offload_resets(const struct sdp_offload_device *device)
{
	return atomic_read(&device->resets);
}
EXPORT_SYMBOL_GPL(sdp_offload_resets);

int sdp_offload_key_add(struct sdp_offload_device *device,
			const struct sdp_offload_key *key, void **handle)
{
	int err = -ENODEV;

	mutex_lock(&device->lock);
	if (!device->going) {
		err = device->ops->key_add(device->dev, key, handle);
		device->keys += !err;
	}
	mutex_unlock(&device->lock);
	return err;
}
EXPORT_SYMBOL_GPL(sdp_offload_key_add);

void sdp_offload_key_del(struct sdp_offload_device *device, void *key)
{
	mutex_lock(&device->lock);
	device->ops->key_del(device->dev, key);
	device->keys--;
	mutex_unlock(&device->lock);
}
EXPORT_SYMBOL_GPL(sdp_offload_key_del);

int sdp_offload_context_add(struct sdp_offload_device *device, void *key, u16 queue,
			    void **handle)
{
	int err = -ENODEV;

	mutex_lock(&device->lock);
	if (!device->going && device->contexts >= device->ops->contexts) {
		err = -ENOSPC;
	} else if (!device->going) {
		err = device->ops->context_add(device->dev, key, queue, handle);
		device->contexts += !err;
	}
	mutex_unlock(&device->lock);
	return err;
}
EXPORT_SYMBOL_GPL(sdp_offload_context_add);

void sdp_offload_context_del(struct sdp_offload_device *device, void *context)
{
	mutex_lock(&device->lock);
	device->ops->context_del(device->dev, context);
	device->contexts--;
	mutex_unlock(&device->lock);
}
EXPORT_SYMBOL_GPL(sdp_offload_context_del);

MODULE_DESCRIPTION("Registry of network devices that seal for transports");
MODULE_LICENSE("GPL");
