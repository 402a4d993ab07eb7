/**
 * Names for containers that were given none: a mood and a vessel, "brisk_junk". One string each until used.
 */
const MOODS =
  "able agile amber ample apt azure balmy beaming bold brave breezy bright brisk buoyant calm candid cheery civil clear clever " +
  "copper coral cosy crisp daring deft dewy eager early earnest easy fair fearless fleet fond frank free fresh gallant gentle glad golden " +
  "good hale handy hardy hearty honest humble ivory jaunty jolly jovial keen kind laden lively loyal lucid lucky mellow merry mighty mild " +
  "misty nimble noble patient placid plucky polished prompt proud quick quiet ready rested ruddy salty serene sharp shiny silver " +
  "sleek snug sober solid sprightly stately steady stout sturdy sunny sure swift tidal tidy trim trusty upright vivid warm watchful " +
  "whistling wily windward wise witty zesty";

const VESSELS =
  "almadia ark balinger barge bark barque batil bilander boita brig brigantine bulker buss caique canoe caravel carrack catamaran clipper " +
  "coaster cob cobble cog collier coracle corvette cruiser currach cutter dhow dinghy dogger dory dredger drifter dugout ferry " +
  "felucca flyboat freighter frigate galleon galley galliot gig gondola gufa hoy hulk icebreaker jangada junk kayak keelboat ketch " +
  "knarr koch kolek launch lifeboat lighter liner longboat longship lorcha lugger nao nef nickey outrigger packet pilot pinisi pink " +
  "pinnace piragua pontoon pram proa punt raft rowboat sampan schooner scow scull shallop skiff skipjack sloop smack snow " +
  "tartane tender tjalk trawler trimaran trireme trow tug vinta waka whaler wherry xebec yacht yawl zebu";

/**
 * A name for which `isTaken` says no. Rather than search a full harbour for ever, it starts numbering after a few tries.
 */
export function makeUpName(isTaken: (name: string) => boolean, random: () => number = Math.random): string {
  const moods = MOODS.split(" ");
  const vessels = VESSELS.split(" ");
  for (let attempt = 0; ; attempt++) {
    const pair = `${pick(moods, random)}_${pick(vessels, random)}`;
    const name = attempt < 6 ? pair : `${pair}${Math.floor(random() * 10 ** Math.min(attempt - 5, 9))}`;
    if (!isTaken(name)) return name;
  }
}

function pick(words: readonly string[], random: () => number): string {
  return words[Math.floor(random() * words.length)] ?? "sampan";
}
