#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "core/clock.h"
#include "core/log.h"
#include "train/lineage.h"
#include "train/memory_plan.h"
#include "train/peers.h"
#include "train/train.h"
#include "train/tuning/handshake.h"
#include "train/tuning/step_plan.h"
#include "train/tuning/tuning.h"

namespace plinth::train {
namespace {

Error of_member(const TuneMember& member, Error error) {
  if (!member.name.empty()) error.message = member.name + ": " + error.message;
  return error;
}

Status check(const model::Model& base, std::span<const TuneMember> members, int64_t ranks) {
  std::map<Path, const TuneMember*> folders;
  for (const auto& member : members) {
    const auto& recipe = member.recipe;
    if (auto good = recipe.check(); !good) return of_member(member, std::move(good).error());
    if (recipe.sequence > base.config().context)
      return of_member(member, invalid("train.sequence {} is longer than the base's context {}",
                                       recipe.sequence, base.config().context));
    if (recipe.method == TuneMethod::kFull && members.size() > 1)
      return of_member(member, invalid("method \"full\" changes the base itself, which the other "
                                       "recipes need as it is: run it alone"));
    if (recipe.method == TuneMethod::kFull && ranks > 1)
      return of_member(
          member,
          invalid("method \"full\" runs in one process, not in {}: only adapters' gradients "
                  "go from process to process",
                  ranks));
    const auto [place, fresh] =
        folders.emplace(std::filesystem::absolute(member.run_dir).lexically_normal(), &member);
    if (!fresh)
      return invalid("{} and {} have one run folder, {}", place->second->name, member.name,
                     member.run_dir.string());
  }
  return {};
}

// What learns, for all members: adapters over one base, or a copy of the base.
struct Learners {
  std::vector<std::unique_ptr<Learner>> owned;

  std::vector<Learner*> all() const {
    std::vector<Learner*> pointers;
    for (const auto& learner : owned) pointers.push_back(learner.get());
    return pointers;
  }
};

Result<Learners> make_learners(const std::shared_ptr<const model::Model>& base,
                               std::span<const TuneMember> members) {
  Learners learners;
  for (const auto& member : members) {
    auto learner = make_learner(base, member.recipe);
    if (!learner) return of_member(member, std::move(learner).error());
    learners.owned.push_back(*std::move(learner));
  }
  return learners;
}

int64_t rows_at_once(std::span<const TuneMember> members) {
  int64_t rows = 0;
  for (const auto& member : members) rows = std::max(rows, member.recipe.micro_tokens);
  return rows;
}

// `learnt`: numbers that each member learns; `steps`: how large the steps of each get.
MemoryNeeds needs_of(const model::Model& base, std::span<const TuneMember> members,
                     std::span<const int64_t> learnt, std::span<const StepSizes> steps,
                     int64_t process) {
  MemoryNeeds needs;
  needs.process = process;
  needs.loss_rows = 0;
  int64_t floats = 0;
  bool anchored = false;
  for (size_t i = 0; i < members.size(); ++i) {
    const auto& recipe = members[i].recipe;
    const StepSizes& step = steps[i];
    needs.rows += step.rows;
    needs.loss_rows += step.loss_rows;
    needs.measured_rows = std::max(needs.measured_rows, step.measured_rows);
    if (recipe.memory > 0)
      needs.budget = needs.budget == 0 ? recipe.memory : std::min(needs.budget, recipe.memory);
    needs.owns_base = recipe.method == TuneMethod::kFull;
    // Values, gradients, two moments, the best so far; sums of micro-batches; and what an adapter
    // keeps of each row.
    const int64_t terms = needs.owns_base ? 1 : step.terms;
    const int64_t vectors = 5 + (terms > 1 ? TreeSum::vectors_max(terms) : 0);
    floats += vectors * learnt[i];
    if (!needs.owns_base)
      floats += step.rows * recipe.rank * base.config().layers * std::ssize(recipe.targets);
    anchored |= recipe.replay_target == ReplayTarget::kBase && !recipe.replay.empty();
  }
  needs.rows = std::min(needs.rows, rows_at_once(members));
  needs.loss_rows = std::min(needs.loss_rows, needs.rows);
  needs.learner = floats * static_cast<int64_t>(sizeof(float));
  // The plain base's logits and hidden rows beside the adapters'.
  if (anchored)
    needs.learner += ChunkedLoss::bytes_of(base.config(), base.weights().head.type, needs.rows) +
                     needs.rows * base.config().width * static_cast<int64_t>(sizeof(float));
  return needs;
}

Result<Crew> make_crew(const model::Model& base, std::span<const TuneMember> members,
                       const Learners& learners, std::span<const StepSizes> steps, int64_t process,
                       Peers* peers) {
  std::vector<int64_t> learnt;
  for (const auto& learner : learners.owned) learnt.push_back(learner->parameters().size());
  PLINTH_TRY(const auto memory, plan_memory(base, needs_of(base, members, learnt, steps, process)));
  log_info("memory: {}", memory.text());
  FusedPass pass(learners.owned.front()->model(), learners.all(), rows_at_once(members),
                 memory.recomputed_layers);
  return Crew(std::move(pass), learners.all(), peers,
              members.front().recipe.method == TuneMethod::kFull);
}

// The members of a run, from their first step to their last.
class Together {
 public:
  Together(std::span<const TuneMember> members, std::vector<std::unique_ptr<Tuning>> runs,
           Crew& crew)
      : members_(members), runs_(std::move(runs)), crew_(crew), results_(members.size()) {
    for (size_t i = 0; i < members.size(); ++i) {
      const auto& recipe = members[i].recipe;
      options_.push_back({members[i].run_dir, runs_[i]->steps(), recipe.checkpoint_every,
                          recipe.eval_every, recipe.divergences_max});
    }
  }

  Status open() {
    for (size_t i = 0; i < members_.size(); ++i) {
      PLINTH_TRY(auto loop, RunLoop::open(*runs_[i], options_[i], members_[i].hooks.train));
      loops_.push_back(std::move(loop));
    }
    return {};
  }

  std::vector<Result<TuneSummary>> run() {
    for (;;) {
      for (size_t i = 0; i < runs_.size(); ++i)
        if (!results_[i] && loops_[i].over()) results_[i] = runs_[i]->finish(loops_[i].result());
      const auto active = this->active();
      if (active.empty()) break;
      round(active);
    }
    std::vector<Result<TuneSummary>> results;
    for (auto& result : results_) results.push_back(*std::move(result));
    return results;
  }

 private:
  std::vector<size_t> active() const {
    std::vector<size_t> active;
    for (size_t i = 0; i < results_.size(); ++i)
      if (!results_[i]) active.push_back(i);
    return active;
  }

  // A step of every member that has not ended.
  void round(std::span<const size_t> active) {
    std::vector<Work> works;
    for (const size_t i : active) works.push_back(runs_[i]->begin_step());
    const Stopwatch watch;
    std::vector<size_t> stopping;
    const auto losses = crew_.gradients(works, [&] {
      for (const size_t i : active)
        if (stop_wanted(members_[i].hooks.train)) stopping.push_back(i);
      return !stopping.empty();
    });
    const double seconds = watch.seconds();
    if (!losses) return give_up(active, stopping, losses.error());
    for (size_t i = 0; i < active.size(); ++i) {
      const size_t member = active[i];
      auto report = runs_[member]->end_step((*losses)[i], seconds);
      const auto taken =
          report ? loops_[member].take(*std::move(report)) : Status(std::move(report).error());
      if (!taken) results_[member] = taken.error();
    }
  }

  // The step is undone. Who was to stop does, and the others take it again; when it was for another
  // reason, nobody can go on.
  void give_up(std::span<const size_t> active, std::span<const size_t> stopping,
               const Error& error) {
    for (const size_t i : stopping) results_[i] = loops_[i].stopped();
    if (!stopping.empty()) return;
    for (const size_t i : active) {
      auto saved = loops_[i].stopped();
      results_[i] = saved.code == Code::kCancelled
                        ? Error{error.code, error.message + "; " + saved.message}
                        : std::move(saved);
    }
  }

  std::span<const TuneMember> members_;
  std::vector<std::unique_ptr<Tuning>> runs_;
  Crew& crew_;
  std::vector<LoopOptions> options_;
  std::vector<RunLoop> loops_;
  std::vector<std::optional<Result<TuneSummary>>> results_;
};

// All that ranks must agree on. "a.toml: train.lr" where there are several recipes.
Result<Facts> facts_of(const model::Model& base, std::span<const TuneMember> members,
                       const Peers& peers) {
  PLINTH_TRY(check(base, members, peers.ranks()));
  Facts facts = {{"the program", code_version()}, {"recipes", fmt::format("{}", members.size())}};
  for (size_t i = 0; i < members.size(); ++i) {
    auto digest = data_digest(members[i].recipe);
    if (!digest) return of_member(members[i], std::move(digest).error());
    const std::string prefix = members.size() == 1 ? "" : members[i].name + ": ";
    for (const auto& [name, value] : identity_of(members[i].recipe, base, *digest))
      facts[prefix + name] = value;
  }
  return facts;
}

Result<std::vector<Result<TuneSummary>>> lead(const std::shared_ptr<const model::Model>& base,
                                              std::span<const TuneMember> members, Peers* peers) {
  std::vector<FileLock> locks;
  std::vector<std::shared_ptr<const TuneData>> data;
  std::vector<StepSizes> steps;
  for (const auto& member : members) {
    PLINTH_TRY(make_directories(member.run_dir));
    PLINTH_TRY(auto lock, FileLock::take(member.run_dir / "lock"));
    locks.push_back(std::move(lock));
    const auto like = std::ranges::find_if(members.first(data.size()), [&](const auto& before) {
      return read_the_same(before.recipe, member.recipe);
    });
    if (const auto i = static_cast<size_t>(like - members.begin()); i < data.size()) {
      data.push_back(data[i]);
    } else {
      auto read = read_data(*base, member.recipe, member.hooks);
      if (!read) return of_member(member, std::move(read).error());
      data.push_back(std::make_shared<const TuneData>(*std::move(read)));
    }
    steps.push_back(step_sizes(member.recipe, *data.back()));
  }
  const int64_t process = process_bytes();
  PLINTH_TRY(const auto learners, make_learners(base, members));
  PLINTH_TRY(auto crew, make_crew(*base, members, learners, steps, process, peers));
  std::vector<std::unique_ptr<Tuning>> runs;
  for (size_t i = 0; i < members.size(); ++i) {
    runs.push_back(std::make_unique<Tuning>(base, *learners.owned[i], members[i].recipe,
                                            members[i].run_dir, std::move(data[i]), crew,
                                            static_cast<int64_t>(i)));
    if (auto started = runs.back()->start(); !started)
      return of_member(members[i], std::move(started).error());
  }
  Together together(members, std::move(runs), crew);
  PLINTH_TRY(together.open());
  return together.run();
}

}  // namespace

Result<size_t> fitting_together(const std::shared_ptr<const model::Model>& base,
                                std::span<const TuneMember> members, int64_t budget) {
  const int64_t process = process_bytes();
  std::vector<StepSizes> steps;
  std::vector<int64_t> learnt;
  int64_t recomputed_alone = 0;
  for (size_t n = 1; n <= members.size(); ++n) {
    const auto& member = members[n - 1];
    if (n > 1 && member.recipe.method == TuneMethod::kFull) return n - 1;
    PLINTH_TRY(const auto learner, make_learners(base, members.subspan(n - 1, 1)));
    learnt.push_back(learner.owned.front()->parameters().size());
    steps.push_back(step_sizes_at_most(member.recipe));
    auto needs = needs_of(*base, members.first(n), learnt, steps, process);
    if (n > 1 && needs.budget == 0) needs.budget = budget;
    const auto plan = plan_memory(*base, needs);
    if (n == 1 && !plan) return plan.error();
    if (n > 1 && (!plan || plan->recomputed_layers > recomputed_alone)) return n - 1;
    if (member.recipe.method == TuneMethod::kFull) return n;
    recomputed_alone = plan->recomputed_layers;
  }
  return members.size();
}

Result<std::vector<Result<TuneSummary>>> tune_together(std::shared_ptr<const model::Model> base,
                                                       std::span<const TuneMember> members,
                                                       Peers* peers) {
  PLINTH_CHECK(!members.empty(), "a run without members");
  if (peers == nullptr) {
    PLINTH_TRY(check(*base, members, 1));
    return lead(base, members, nullptr);
  }
  PLINTH_TRY(shake_hands(*peers, facts_of(*base, members, *peers)));
  auto results = lead(base, members, peers);
  // Whatever came of it; unless the others are away already.
  if (Crew::dismiss(*peers)) peers->leave();
  return results;
}

Status assist_tuning(std::shared_ptr<const model::Model> base, std::span<const TuneMember> members,
                     Peers& peers) {
  PLINTH_TRY(shake_hands(peers, facts_of(*base, members, peers)));
  const int64_t process = process_bytes();
  PLINTH_TRY(const auto learners, make_learners(base, members));
  // How much data there is only rank 0 knows.
  std::vector<StepSizes> steps;
  for (const auto& member : members) steps.push_back(step_sizes_at_most(member.recipe));
  PLINTH_TRY(auto crew, make_crew(*base, members, learners, steps, process, &peers));
  PLINTH_TRY(crew.assist());
  peers.leave();
  return {};
}

Json to_json(const TuneSummary& summary) {
  return {{"steps", summary.steps},
          {"tokens", summary.tokens},
          {"loss", summary.loss},
          {"heldout_before", summary.heldout_before},
          {"heldout", summary.heldout},
          {"best_step", summary.best_step},
          {"general_before", summary.general_before},
          {"general", summary.general},
          {"strength", summary.strength},
          {"preferred", summary.preferred},
          {"data", to_json(summary.data)},
          {"replay", to_json(summary.replay)}};
}

Result<TuneSummary> tune(std::shared_ptr<const model::Model> base, const TuneRecipe& recipe,
                         const Path& run_dir, const TuneHooks& hooks) {
  const TuneMember member = {{}, recipe, run_dir, hooks};
  PLINTH_TRY(auto results, tune_together(std::move(base), {&member, 1}));
  return std::move(results.front());
}

}  // namespace plinth::train
