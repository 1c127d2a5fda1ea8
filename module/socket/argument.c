// SPDX-License-Identifier: GPL-2.0-only
/*
 * Structures that begin with their size: a shorter, older form is filled up
 * with zeros, of a longer, newer one what is not known here has to be zero.
 */
#include "socket.h"

static int check_tail(sockptr_t from, size_t known, size_t size)
{
	int zero;

	if (size <= known)
		return 0;
	/* No version of ours will be so long, and nobody could stop looking at it. */
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (sockptr_is_kernel(from))
		zero = !memchr_inv(from.kernel + known, 0, size - known);
	else
		zero = check_zeroed_user(from.user + known, size - known);
	if (zero < 0)
		return zero;
	return zero ? 0 : -E2BIG;
}

int sdp_options_copy(void *to, size_t known, size_t least, sockptr_t from,
		     size_t len)
{
	u32 size;
	int err;

	if (len < sizeof(size))
		return -EINVAL;
	if (copy_from_sockptr(&size, from, sizeof(size)))
		return -EFAULT;
	if (size < least || size > len)
		return -EINVAL;
	err = check_tail(from, known, size);
	if (err)
		return err;
	memset(to, 0, known);
	if (copy_from_sockptr(to, from, min_t(size_t, size, known)))
		return -EFAULT;
	/* Another thread may have changed the argument meanwhile. */
	*(u32 *)to = min_t(size_t, size, known);
	return 0;
}
