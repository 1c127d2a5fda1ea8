// SPDX-License-Identifier: Apache-2.0
#include "test.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leaks.hpp"

namespace test {
namespace {

std::vector<Case *> &cases()
{
	static std::vector<Case *> list;
	return list;
}

std::vector<void (*)()> &eaches()
{
	static std::vector<void (*)()> list;
	return list;
}

std::vector<void (*)()> &setups()
{
	static std::vector<void (*)()> list;
	return list;
}

// Seconds that a case may take without a word.
constexpr time_t worth_telling = 10;

constexpr int exit_failed = 1;
constexpr int exit_skipped = 77;

int guarded(const std::function<void()> &run)
{
	try {
		run();
		return 0;
	} catch (const Skip &skip) {
		note(std::string("skip: ") + skip.what());
		// The whole is to run: what is skipped was not.
		return getenv("SDP_TEST_WHOLE") ? 1 : exit_skipped;
	} catch (const std::exception &failure) {
		note(failure.what());
		return exit_failed;
	}
}

int fork_guarded(const std::function<void()> &run)
{
	fflush(stdout);
	int pid = fork();
	if (pid < 0)
		throw Failure("fork: " + errno_name(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int result = guarded(run);
		fflush(stdout);
		_exit(result);
	}
	return pid;
}

// The child's exit status; its whole process group is killed after the limit.
int wait_limited(int pid, unsigned seconds, bool &timed_out)
{
	int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
	struct pollfd waiting = {fd, POLLIN, 0};
	timed_out = fd >= 0 && poll(&waiting, 1, static_cast<int>(seconds * 1000)) == 0;
	close(fd);
	if (timed_out)
		kill(-pid, SIGKILL);
	int status = 0;
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL); // whom it left behind
	return status;
}

enum class Outcome { passed, failed, skipped };

Outcome run_case(const Case &one)
{
	leaks::begin_case();
	int pid = fork_guarded([&] {
		setpgid(0, 0);
		for (auto run : eaches())
			run();
		one.run();
	});
	setpgid(pid, pid);
	bool timed_out = false;
	unsigned limit = slow(one.seconds);
	int status = wait_limited(pid, limit, timed_out);
	if (timed_out)
		note("still running after " + std::to_string(limit) + " s");
	else if (WIFSIGNALED(status))
		note(std::string("killed by ") + strsignal(WTERMSIG(status)));
	bool clean = guarded(leaks::check) == 0;
	if (!timed_out && WIFEXITED(status) && clean) {
		if (WEXITSTATUS(status) == 0)
			return Outcome::passed;
		if (WEXITSTATUS(status) == exit_skipped)
			return Outcome::skipped;
	}
	guarded([] { note(leaks::moved()); });
	return Outcome::failed;
}

bool wanted(const Case &one, int argc, char **argv)
{
	return (argc < 2 && !one.asked) ||
	       std::any_of(argv + 1, argv + argc,
			   [&](const char *name) { return strcmp(name, one.name) == 0; });
}

} // namespace

Case::Case(const char *name, std::function<void()> run, unsigned seconds, bool asked)
	: name(name), run(std::move(run)), seconds(seconds), asked(asked)
{
	cases().push_back(this);
}

Each::Each(void (*run)())
{
	eaches().push_back(run);
}

Setup::Setup(void (*run)())
{
	setups().push_back(run);
}

unsigned slow(unsigned seconds)
{
	const char *factor = getenv("SDP_TEST_SLOW");
	return seconds * (factor ? std::max(1, atoi(factor)) : 1);
}

void note(const std::string &text)
{
	std::istringstream lines(text);
	std::string line;
	while (std::getline(lines, line))
		printf("# %s\n", line.c_str());
	fflush(stdout);
}

void fail(const char *file, int line, const std::string &text)
{
	const char *base = strrchr(file, '/');
	throw Failure(std::string(base ? base + 1 : file) + ":" + std::to_string(line) + ": " +
		      text);
}

std::string errno_name(int error)
{
	const char *name = strerrorname_np(error);
	return name ? name : "errno " + std::to_string(error);
}

bool eventually(const std::function<bool()> &done, unsigned seconds)
{
	time_t last = time(nullptr) + slow(seconds);
	do {
		if (done())
			return true;
		usleep(5000);
	} while (time(nullptr) <= last);
	return done();
}

Thread::Thread(std::function<void()> run)
	: thread_([this, run = std::move(run)] {
		  try {
			  run();
		  } catch (...) {
			  failure_ = std::current_exception();
		  }
		  ended_ = true;
	  })
{
}

void Thread::join()
{
	thread_.join();
	if (failure_)
		std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Thread::interrupt(int signal)
{
	while (!ended_) {
		OK(-pthread_kill(handle(), signal));
		usleep(10000);
	}
	join();
}

Thread::~Thread()
{
	// Reached with a running thread only when the case has failed already.
	if (thread_.joinable())
		thread_.detach();
}

Child::Child(const std::function<void()> &run) : pid_(fork_guarded(run)) {}

void Child::kill(int signal) const
{
	::kill(pid_, signal);
}

void Child::join()
{
	int status = 0;
	int pid = std::exchange(pid_, -1);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		throw Failure("a child process failed");
}

Child::~Child()
{
	if (pid_ > 0) {
		::kill(pid_, SIGKILL);
		waitpid(pid_, nullptr, 0);
	}
}

} // namespace test

int main(int argc, char **argv)
{
	using namespace test;
	if (argc == 2 && strcmp(argv[1], "-l") == 0) {
		for (const Case *one : cases())
			puts(one->name);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	std::string program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	printf("TAP version 13\n");
	if (guarded([] {
		    for (auto run : setups())
			    run();
		    leaks::begin();
	    }) != 0) {
		printf("1..1\nnot ok 1 - %s/setup\n", program.c_str());
		return 1;
	}
	unsigned number = 0;
	unsigned failed = 0;
	auto report = [&](Outcome outcome, const char *name) {
		printf("%sok %u - %s/%s%s\n", outcome == Outcome::failed ? "not " : "", ++number,
		       program.c_str(), name, outcome == Outcome::skipped ? " # SKIP" : "");
		fflush(stdout);
		failed += outcome == Outcome::failed;
	};
	for (const Case *one : cases()) {
		if (!wanted(*one, argc, argv))
			continue;
		time_t start = time(nullptr);
		report(run_case(*one), one->name);
		if (time_t took = time(nullptr) - start; took >= worth_telling)
			note("took " + std::to_string(took) + " s");
	}
	if (argc < 2)
		report(guarded(leaks::end) == 0 ? Outcome::passed : Outcome::failed, "leaks");
	printf("1..%u\n", number);
	return failed ? 1 : 0;
}
