// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include <algorithm>
#include <numeric>
#include <openssl/evp.h>
#include <stdexcept>

namespace cx {

namespace {

constexpr uint8_t sdp = 146;
constexpr uint8_t tls_1_2 = 2;
constexpr uint8_t tls_1_3 = 3;
constexpr size_t header_length = 5;
constexpr size_t explicit_nonce = 8;
constexpr size_t tag_length = 16;
constexpr uint8_t first_type = 20;
constexpr uint8_t last_type = 24;
constexpr uint8_t application_data = 23;
constexpr uint8_t start = 0;

constexpr std::array<const char *, misuses> names = {
	"two_queues", "unfenced",     "split_record",   "not_at_record",
	"bad_header", "bad_nonce",    "no_context",     "no_parameters",
	"no_start",   "no_key",       "key_size",       "bad_version",
	"bad_static", "bad_progress", "deleted_in_use", "number_reused",
};

void must(bool ok)
{
	if (!ok)
		throw std::runtime_error("OpenSSL refuses AES-GCM");
}

struct Free {
	void operator()(EVP_CIPHER_CTX *context) const { EVP_CIPHER_CTX_free(context); }
};
using Gcm = std::unique_ptr<EVP_CIPHER_CTX, Free>;

std::string number(uint64_t value)
{
	return std::to_string(value);
}

} // namespace

const char *misuse_name(Misuse misuse)
{
	return names.at(static_cast<size_t>(misuse));
}

std::optional<Misuse> misuse_named(const std::string &name)
{
	for (size_t i = 0; i < misuses; i++)
		if (name == names[i])
			return static_cast<Misuse>(i);
	return std::nullopt;
}

StaticParams parse_static(View params)
{
	StaticParams out;

	out.version = static_cast<uint8_t>(get(params, 0, 1) >> 2 & 0xf);
	out.record = get(params, 8, 8);
	for (size_t i = 0; i < 4; i++)
		out.iv[i] = static_cast<uint8_t>(get(params, 0x14 + i, 1));
	for (size_t i = 0; i < 8; i++)
		out.iv[4 + i] = static_cast<uint8_t>(get(params, 0x18 + i, 1));
	out.dek = static_cast<uint32_t>(get(params, 0x21, 3));
	out.well_formed = params.size() == static_params_length && get(params, 0, 1) >> 6 == 2 &&
			  (get(params, 0, 1) & 3) == 1 && (get(params, 3, 1) & 0xf) == 1 &&
			  get(params, 0x10, 4) == 0;
	return out;
}

ProgressParams parse_progress(View params)
{
	return {
		.next_record_tcp_sn = static_cast<uint32_t>(get(params, 0, 4)),
		.tracker_state = static_cast<uint8_t>(get(params, 8, 1) >> 6),
		.auth_state = static_cast<uint8_t>(get(params, 8, 1) >> 4 & 3),
	};
}

/// A context, and how far it is in which record.
struct Engine::Context {
	uint32_t tis = 0;
	bool tls = false;
	/// The queue that it is used by.
	std::optional<uint32_t> sq;

	// From the static parameters.
	std::optional<StaticParams> params;
	bool params_fenced = false;
	bool params_used = false;

	// From the progress parameters.
	bool started = false;
	uint64_t started_at = 0;
	/// Something was sealed, or dumped, since the context was made.
	bool ran = false;
	bool first_record = false;
	uint64_t record = 0;

	// The record that is being sealed.
	Bytes head;
	size_t body_left = 0;
	size_t tag_left = 0;
	/// What followed was no record: it is run through the cipher up to the next START.
	bool lost = false;
	Gcm gcm;
	Bytes key;
	Bytes nonce;
	Bytes tag;

	/// TLS 1.2: explicit nonce minus record number, the same for all of a key.
	std::optional<uint64_t> nonce_ahead;

	[[nodiscard]] size_t head_length() const
	{
		return params->version == tls_1_2 ? header_length + explicit_nonce : header_length;
	}
	[[nodiscard]] bool within() const
	{
		return lost || !head.empty() || body_left > 0 || tag_left > 0;
	}
	void at_record()
	{
		head.clear();
		body_left = 0;
		tag_left = 0;
		lost = false;
	}
};

Engine::Engine(EngineOptions options) : options_(std::move(options)) {}

Engine::~Engine() = default;

void Engine::misuse(Misuse what, const std::string &detail)
{
	counts_.at(static_cast<size_t>(what))++;
	if (options_.tell)
		options_.tell(what, detail);
}

uint64_t Engine::count(Misuse what) const
{
	return counts_.at(static_cast<size_t>(what));
}

uint64_t Engine::errors() const
{
	uint64_t sum = 0;

	for (size_t i = 0; i < misuses; i++)
		sum += options_.tolerated.contains(static_cast<Misuse>(i)) ? 0 : counts_[i];
	return sum;
}

void Engine::key_create(uint32_t dek, View key)
{
	if (key.size() != 16 && key.size() != 32)
		misuse(Misuse::key_size, "key " + number(dek) + " has " + number(key.size()));
	keys_[dek] = Bytes(key.begin(), key.end());
}

void Engine::key_destroy(uint32_t dek)
{
	if (keys_.erase(dek) == 0)
		misuse(Misuse::no_key, "key " + number(dek) + " is destroyed, and is none");
	for (const auto &[tis, context] : contexts_)
		if (context->started && context->params->dek == dek && context->within())
			misuse(Misuse::no_key, "key " + number(dek) + " is destroyed, context " +
						       number(tis) + " is within a record");
	// A context that gets another key is somebody else's, who need not wait for it.
	for (const auto &[tis, context] : contexts_)
		if (context->params && context->params->dek == dek) {
			context->ran = false;
			context->nonce_ahead.reset();
		}
}

void Engine::tis_create(uint32_t tis, bool tls)
{
	auto &context = contexts_[tis] = std::make_unique<Context>();

	context->tis = tis;
	context->tls = tls;
}

void Engine::tis_destroy(uint32_t tis, bool posted)
{
	if (posted && is_tls(tis))
		misuse(Misuse::deleted_in_use, "context " + number(tis) + " is in a queue");
	contexts_.erase(tis);
}

void Engine::sq_reset(uint32_t sq)
{
	queues_.erase(sq);
	for (const auto &[tis, context] : contexts_)
		if (context->sq == sq)
			context->sq.reset();
}

bool Engine::is_tls(uint32_t tis) const
{
	const auto found = contexts_.find(tis);
	return found != contexts_.end() && found->second->tls;
}

size_t Engine::contexts() const
{
	return static_cast<size_t>(std::ranges::count_if(
		contexts_, [](const auto &entry) { return entry.second->tls; }));
}

Engine::Context *Engine::find(uint32_t tis)
{
	const auto found = contexts_.find(tis);

	if (found != contexts_.end() && found->second->tls)
		return found->second.get();
	misuse(Misuse::no_context, number(tis) + " is no context for TLS");
	return nullptr;
}

/// Every work request of a queue that this engine hears of.
void Engine::step(uint32_t sq, bool fenced)
{
	Queue &queue = queues_[sq];

	queue.requests++;
	if (fenced)
		queue.fence = queue.requests;
}

void Engine::bind(Context &context, uint32_t sq, const char *what)
{
	if (context.sq && *context.sq != sq)
		misuse(Misuse::two_queues, std::string(what) + " of context " +
						   number(context.tis) + " by queue " + number(sq) +
						   ", before by " + number(*context.sq));
	context.sq = sq;
}

void Engine::static_params(uint32_t sq, uint32_t tis, bool fenced, View params)
{
	step(sq, fenced);
	Context *context = find(tis);
	if (!context)
		return;
	// A context that is given new parameters may go to another queue: contexts are
	// used again for other connections.
	context->sq = sq;
	const StaticParams parsed = parse_static(params);
	const bool known = (parsed.version == tls_1_2 && options_.tls_1_2) ||
			   (parsed.version == tls_1_3 && options_.tls_1_3);
	if (!known)
		misuse(Misuse::bad_version,
		       "version " + number(parsed.version) + " in context " + number(tis));
	if (!parsed.well_formed)
		misuse(Misuse::bad_static, "context " + number(tis));
	if (!keys_.contains(parsed.dek))
		misuse(Misuse::no_key,
		       "context " + number(tis) + " is to use key " + number(parsed.dek));
	if (!context->params || context->params->dek != parsed.dek) {
		context->nonce_ahead.reset();
		context->ran = false;
	}
	context->params = parsed;
	context->params_fenced = fenced;
	context->params_used = false;
	context->started = false;
	context->at_record();
}

void Engine::progress_params(uint32_t sq, uint32_t tis, bool fenced, View params)
{
	step(sq, fenced);
	Context *context = find(tis);
	if (!context)
		return;
	bind(*context, sq, "progress parameters");
	const ProgressParams parsed = parse_progress(params);
	if (params.size() != progress_params_length || parsed.next_record_tcp_sn != 0 ||
	    parsed.tracker_state != start || parsed.auth_state != 0)
		misuse(Misuse::bad_progress, "context " + number(tis));
	if (!context->params) {
		misuse(Misuse::no_parameters, "context " + number(tis) + " is started");
		return;
	}
	// As the driver for TCP does, whose order is known to work: the first of what is
	// posted is fenced if the context is in use already, else one of the two.
	const bool first = context->params_used ? fenced : context->params_fenced;
	const bool fence = context->ran ? first : fenced || first;
	if (!fence)
		misuse(Misuse::unfenced, "parameters of context " + number(tis));
	context->params_used = true;
	context->started = true;
	context->first_record = true;
	context->started_at = queues_[sq].requests;
	context->record = context->params->record;
	context->at_record();
	counters_.resyncs++;
}

void Engine::nop(uint32_t sq, bool fenced)
{
	step(sq, fenced);
}

void Engine::dump(const Sealed &by, View payload)
{
	step(by.sq, by.fenced);
	Context *context = find(by.tis);
	if (!context || !ready(*context, by))
		return;
	Bytes copy(payload.begin(), payload.end());
	run(*context, by, copy);
	counters_.dumped += payload.size();
}

void Engine::seal(const Sealed &by, std::span<uint8_t> payload)
{
	step(by.sq, by.fenced);
	Context *context = find(by.tis);
	if (!context || !ready(*context, by)) {
		counters_.clear++;
		return;
	}
	run(*context, by, payload);
	counters_.packets++;
	counters_.bytes += payload.size();
	if (by.protocol == sdp && context->within())
		misuse(Misuse::split_record, "record " + number(context->record) + " of context " +
						     number(by.tis) + " goes on");
}

/// False: what is sent stays as it is.
bool Engine::ready(Context &context, const Sealed &by)
{
	bind(context, by.sq, "payload");
	if (!context.params) {
		misuse(Misuse::no_parameters, "context " + number(by.tis) + " sends");
		return false;
	}
	if (!context.started) {
		misuse(Misuse::no_start, "context " + number(by.tis) + " sends");
		return false;
	}
	const Queue &queue = queues_[by.sq];
	if (context.started_at > 0 && queue.fence <= context.started_at)
		misuse(Misuse::unfenced,
		       "payload of context " + number(by.tis) + " after its parameters");
	context.started_at = 0;
	context.ran = true;
	return true;
}

void Engine::run(Context &context, const Sealed &by, std::span<uint8_t> payload)
{
	while (!payload.empty()) {
		size_t done = 0;
		if (context.body_left > 0)
			done = body(context, payload);
		else if (context.tag_left > 0)
			done = tag(context, by, payload);
		else
			done = header(context, by, payload);
		payload = payload.subspan(done);
	}
}

/// Takes in what there is of a record's header, which may come in pieces.
size_t Engine::header(Context &context, const Sealed &by, std::span<uint8_t> rest)
{
	const size_t taken = std::min(rest.size(), context.head_length() - context.head.size());

	context.head.insert(context.head.end(), rest.begin(),
			    rest.begin() + static_cast<ptrdiff_t>(taken));
	if (context.head.size() == context.head_length())
		begin(context, by);
	return taken;
}

void Engine::check_header(Context &context, const Sealed &by)
{
	const uint64_t type = get(context.head, 0, 1);
	const bool type_ok = by.protocol == sdp ? type == application_data
						: type >= first_type && type <= last_type;
	const size_t least = context.head_length() - header_length + tag_length +
			     (context.params->version == tls_1_3 ? 1 : 0);

	context.lost = get(context.head, 3, 2) < least;
	if (type_ok && get(context.head, 1, 2) == 0x303 && !context.lost)
		return;
	misuse(context.first_record ? Misuse::not_at_record : Misuse::bad_header,
	       "record " + number(context.record) + " of context " + number(by.tis) +
		       " begins with " + number(get(context.head, 0, 5)));
}

/// A header is complete: sets the cipher up for what follows.
void Engine::begin(Context &context, const Sealed &by)
{
	check_header(context, by);
	const uint64_t length = get(context.head, 3, 2);
	const size_t overhead = context.head_length() - header_length + tag_length;
	// What is no record has no end.
	context.body_left = context.lost ? SIZE_MAX : length - overhead;
	context.tag_left = tag_length;
	context.first_record = false;

	const auto key = keys_.find(context.params->dek);
	if (key == keys_.end())
		misuse(Misuse::no_key,
		       "context " + number(by.tis) + " uses key " + number(context.params->dek));
	context.key = key == keys_.end() ? Bytes(16) : key->second;
	context.key.resize(context.key.size() > 16 ? 32 : 16);

	context.nonce.assign(context.params->iv.begin(), context.params->iv.end());
	Bytes aad = context.head;
	if (context.params->version == tls_1_2) {
		const uint64_t told = get(context.head, header_length, 8);
		set(context.nonce, 4, told, 8);
		aad.clear();
		put(aad, context.record, 8);
		aad.insert(aad.end(), context.head.begin(), context.head.begin() + 3);
		put(aad, length - overhead, 2);
		const uint64_t ahead = told - context.record;
		if (context.nonce_ahead.value_or(ahead) != ahead)
			misuse(Misuse::bad_nonce, "record " + number(context.record) +
							  " of context " + number(by.tis));
		context.nonce_ahead = ahead;
	} else {
		set(context.nonce, 4, get(context.nonce, 4, 8) ^ context.record, 8);
	}

	if (!context.gcm)
		context.gcm.reset(EVP_CIPHER_CTX_new());
	const EVP_CIPHER *cipher = context.key.size() == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
	int out = 0;
	must(EVP_EncryptInit_ex(context.gcm.get(), cipher, nullptr, context.key.data(),
				context.nonce.data()) == 1);
	must(EVP_EncryptUpdate(context.gcm.get(), nullptr, &out, aad.data(),
			       static_cast<int>(aad.size())) == 1);
}

size_t Engine::body(Context &context, std::span<uint8_t> rest)
{
	const size_t taken = std::min(rest.size(), context.body_left);
	int out = 0;

	must(EVP_EncryptUpdate(context.gcm.get(), rest.data(), &out, rest.data(),
			       static_cast<int>(taken)) == 1);
	if (!context.lost)
		context.body_left -= taken;
	return taken;
}

/// Overwrites the room for the tag, which may come in pieces.
size_t Engine::tag(Context &context, const Sealed &by, std::span<uint8_t> rest)
{
	if (context.tag_left == tag_length) {
		int out = 0;
		context.tag.resize(tag_length);
		must(EVP_EncryptFinal_ex(context.gcm.get(), context.tag.data(), &out) == 1);
		must(EVP_CIPHER_CTX_ctrl(context.gcm.get(), EVP_CTRL_GCM_GET_TAG, tag_length,
					 context.tag.data()) == 1);
		remember(context, by);
	}
	const size_t taken = std::min(rest.size(), context.tag_left);
	std::copy_n(context.tag.end() - static_cast<ptrdiff_t>(context.tag_left), taken,
		    rest.begin());
	context.tag_left -= taken;
	if (context.tag_left == 0) {
		context.record++;
		context.at_record();
		counters_.records++;
	}
	return taken;
}

/// A record that is sealed again is the same to the last bit, and so is its tag.
void Engine::remember(const Context &context, const Sealed &by)
{
	Bytes name = context.key;

	name.insert(name.end(), context.nonce.begin(), context.nonce.end());
	const auto [known, added] = tags_.try_emplace(name, context.tag);
	if (!added && known->second != context.tag) {
		misuse(Misuse::number_reused,
		       "record " + number(context.record) + " of context " + number(by.tis));
		return;
	}
	if (added)
		tags_order_.push_back(std::move(name));
	while (tags_order_.size() > options_.remembered) {
		tags_.erase(tags_order_.front());
		tags_order_.pop_front();
	}
}

std::string Engine::report() const
{
	std::string out;
	const auto line = [&out](const std::string &name, uint64_t value) {
		out += name + ' ' + number(value) + '\n';
	};

	line("engine_records", counters_.records);
	line("engine_packets", counters_.packets);
	line("engine_bytes", counters_.bytes);
	line("engine_dumped", counters_.dumped);
	line("engine_resyncs", counters_.resyncs);
	line("engine_clear", counters_.clear);
	line("engine_contexts", contexts());
	line("engine_keys", keys());
	for (size_t i = 0; i < misuses; i++)
		if (counts_[i] > 0)
			line(std::string("misuse_") + names[i], counts_[i]);
	return out;
}

} // namespace cx
