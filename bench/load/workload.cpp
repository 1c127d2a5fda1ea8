// SPDX-License-Identifier: Apache-2.0
#include "workload.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace bench {
namespace {

constexpr std::array<point, 9> w1{{{16, 0},
				   {32, 0.25},
				   {64, 0.50},
				   {128, 0.75},
				   {256, 0.90},
				   {512, 0.95},
				   {1024, 0.975},
				   {4096, 0.998},
				   {16'824, 1}}};
constexpr std::array<point, 11> w2{{{16, 0},
				    {32, 0.1},
				    {64, 0.3},
				    {128, 0.5},
				    {256, 0.7},
				    {512, 0.85},
				    {1024, 0.93},
				    {2048, 0.97},
				    {4096, 0.985},
				    {10'000, 0.9975},
				    {36'192, 1}}};
constexpr std::array<point, 12> w3{{{16, 0},
				    {64, 0.1},
				    {128, 0.25},
				    {256, 0.45},
				    {512, 0.6},
				    {1024, 0.72},
				    {2048, 0.82},
				    {4096, 0.9},
				    {8192, 0.95},
				    {16'384, 0.98},
				    {65'536, 0.9975},
				    {678'016, 1}}};
constexpr std::array<point, 10> w4{{{64, 0},
				    {256, 0.3},
				    {512, 0.6},
				    {1024, 0.7},
				    {4096, 0.75},
				    {16'384, 0.80},
				    {65'536, 0.86},
				    {262'144, 0.93},
				    {1'000'000, 0.975},
				    {5'767'389, 1}}};
constexpr std::array<point, 10> w5{{{1000, 0},
				    {10'000, 0.15},
				    {30'000, 0.3},
				    {80'000, 0.5},
				    {200'000, 0.58},
				    {1'000'000, 0.67},
				    {2'000'000, 0.76},
				    {5'000'000, 0.87},
				    {10'000'000, 0.94},
				    {37'832'500, 1}}};

constexpr std::array all{
	workload{"w1", 189, w1},     workload{"w2", 442, w2},       workload{"w3", 2928, w3},
	workload{"w4", 127'797, w4}, workload{"w5", 2'560'000, w5},
};

} // namespace

double chance::uniform()
{
	return static_cast<double>(bits_() >> 11) * 0x1p-53;
}

double chance::exponential(double mean)
{
	return -mean * std::log1p(-uniform());
}

std::uint32_t workload::draw(chance &from, std::size_t most) const
{
	const double share = from.uniform();
	const auto above = std::find_if(table.begin() + 1, table.end() - 1,
					[&](const point &one) { return share < one.share; });
	const point &low = *(above - 1);
	const double within = (share - low.share) / (above->share - low.share);
	const double size = low.size + within * (above->size - low.size);
	return static_cast<std::uint32_t>(std::min(size, static_cast<double>(most)));
}

double workload::mean_of(double most) const
{
	double sum = 0;
	for (std::size_t i = 1; i < table.size(); ++i) {
		const point &low = table[i - 1];
		const point &high = table[i];
		const double width = high.size - low.size;
		const double below = std::clamp((most - low.size) / width, 0.0, 1.0);
		const double top = low.size + below * width;
		sum += (high.share - low.share) *
		       (below * (low.size + top) / 2 + (1 - below) * most);
	}
	return sum;
}

std::span<const workload> workloads()
{
	return all;
}

const workload *workload_named(std::string_view name)
{
	const auto *found = std::find_if(all.begin(), all.end(),
					 [&](const workload &one) { return one.name == name; });
	return found == all.end() ? nullptr : found;
}

} // namespace bench
