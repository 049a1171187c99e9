"""What is left out and where the rest belongs: two tables, read from the top, first match wins."""

import re

CATEGORIES = {
    "animals": "mammals, reptiles, frogs, dinosaurs and fantastic beasts",
    "birds": "birds, penguins among them",
    "insects and sea life": "insects, spiders, snails, fish, whales and shells",
    "plants": "flowers, trees, leaves and mushrooms",
    "fruit and vegetables": "single fruits and vegetables, whole or cut",
    "food and drink": "dishes, sweets, bread, meat and drinks",
    "people": "persons and groups, at work and at play",
    "faces and body": "faces, smileys, eyes, hands and other parts of the body",
    "clothes": "clothes, shoes, hats and jewellery",
    "buildings": "houses, monuments and other buildings",
    "transport": "cars, aircraft, boats, bicycles and trains",
    "tools and science": "tools of workshop and garden, old arms, laboratory and medicine",
    "household": "furniture, dishes, containers, clocks and lamps",
    "computers and electronics": "computers, telephones, cameras and their parts",
    "office and money": "paper, pens, books, letters, coins",
    "music": "instruments, notes and records",
    "sports and games": "sports, games and toys",
    "holidays": "Christmas, Easter, Halloween, birthdays and parties",
    "flags": "flags of countries and regions, signal flags",
    "signs and text": "road signs, safety signs, letters, numbers, labels: all that carries text",
    "symbols and shapes": "hearts, arrows, bubbles, ornaments, symbols",
    "maps and places": "maps, globes and landscapes",
    "sky and weather": "sun, moon, planets, space flight, clouds",
}

SIGNS, DEVICES, SKY, FACES = (
    "signs and text",
    "computers and electronics",
    "sky and weather",
    "faces and body",
)

# Reason -> patterns of the path inside the package ("/" stands before the first folder too).
DROPPED: dict[str, str] = {
    "icon theme": (
        r"^computer/(icons|buttons)/|^buttons/|/bb_|/gnome-|^computer/folders/gnome|"
        r"/(finestr\w+|bluepane|formulario|griglia|aktion|browser|otto)[_.]|"
        r"computer/home\d+\.svg|computer/usb\.svg"
    ),
    "swatch, pattern or border": (
        r"^special/|corner|flourish|orleans_exp|coke_\w+er_|/(lam_arn|break_carlos|blots_)|"
        r"texturelegno|tile_orange|celtic-vine|paint_roller_b\w+_ge"
    ),
    "parameter study of one shape": (r"^shapes/stars/"),
    "playing cards: one deck is kept": (r"/cards/(bordered|ornamental|simple|cardbacks)/"),
    "flow chart and diagram shape": (
        r"^shapes/flowchart/|mpcad|pinout|logic_functions|model-view|stefan_graubner_stefan_g|"
        r"computer/diagrams/"
    ),
    "one shape in many variants": (
        r"jigsaw_(green|blue)|button-|pill-|/arrow0\d_[234]|/arrow\d-|"
        r"/arrow-\w+-(green|purple|seagreen|yellow)|fancy_red_button|"
        r"led_(rectangular|square|rounded_v|triangular)|bullet_hole|pantyhose|blueman_[23]|"
        r"samoa_tatoo_p"
    ),
    "logo, trade mark or copied character": (
        r"^logos/|emule|kexi|xbill|linux_(powered|hacked)|velocette|illuminat|zinf_|jabbear|"
        r"domo_kun|vgcats|gameboy|pac_?k?man|tetris|pong_|xbox|chomper|porcinet|"
        r"incredible_tux|don_t_panic|lightsaber|saku_robot|mascot|md_costea|/ms_01|"
        r"what_have_you|mountain_seal|_nico(la|las|\d|_)|alcatel|ebuild|cleanpalm|sony_cl|"
        r"sprint_cell|gpride_jean|chibi_|diamante_ill|hardware/laptop_01|t-shirt_0[12]"
    ),
    "nudity or sexual": (
        r"stripper|sexy_lady|shadow_babe|hide_girl|female_rollandin|zanzara_cr|mermaid_kurt|"
        r"future_beckham|simbol_donna|eris_nurbl|erotik|saxowoman|gender_jakob|user_lambda"
    ),
    "drugs": (r"cannabis|bitte_keine_tueten"),
    "arms and gore": (
        r"9_mm_gun|ak47|/m16_|gallows|fat_man|little_boy|mortar_01|projectile_01|blue_gun|"
        r"/bomb_01|kallisti|2_dead_frogs|ammunition/|ww2_german_gun|ammo_can|media_as_wmd"
    ),
    "extremist, insulting or party politics": (
        r"sunwheel|/chav_|pimp_hat|copileft|anarc|socialist|batasuna|galiza_nat|padania|"
        r"/christian\.svg"
    ),
    "says nothing": (
        r"ec2\.py|mygraph|/oh_stefan|m_tristan|quit_fabien|panel_fudriot|/mr_lak|pfd_01|"
        r"navigation_display|font_samples|crop_marks|/storage|nws_gov|reincarnate|elder_sign|"
        r"enthusiast|g8_muji|barn_0_|farm_0_|/house_0_|simple_0_sym|wall_0_|patchwork_01|"
        r"tatuaggi|io_donna|silvia_01|passo_carrabile|milimetered|three_eyes"
    ),
    "failed or too faint": (
        r"houses_jon_ph|duck_yellow_ii|bucket_michael|galette_01|fireworks2\.png|"
        r"halloween/(ghost|skull)|zero_stars|half_star|simbolo_emergenza|"
        r"europe_francesco_rolland_|magnolia_white|tsunami_w|sedan_police|virus_andreas|"
        r"numero_verde|gnu_linux_disco|switch_hp_st|various_servers|network_could|"
        r"clouds_jon_phillips_0[456]"
    ),
    "regional flag: countries are kept": (
        r"new_brunswick|denmark_jutland|banana_republic|"
        r"flags/europe/(france/france_|germany/\w+_)|flags/europe/spain/spain_|"
        r"flags/europe/belgium/\w+_|flags/oceania/australia/australia_|america/canada/|"
        r"united_states/usa_(?!texas|california|alaska|hawaii)|denmark/denmark_|"
        r"flags/miscellany/(flags_|who|unicef)"
    ),
}

FOLDERS: tuple[tuple[str, str], ...] = (
    (r"^animals/(birds|.*/birds)", "birds"),
    (r"^animals/(bugs|fish|insects|shellfish|mammals/aquatic)", "insects and sea life"),
    (r"^animals", "animals"),
    (r"^buildings/furniture", "household"),
    (r"^(buildings|town/(houses|monuments|cartoon))", "buildings"),
    (r"^town/flags", "flags"),
    (r"^town/roadsigns", "signs and text"),
    (r"^(computer|electronics/(?!battery|bulb))", "computers and electronics"),
    (r"^electronics", "household"),
    (r"^containers", "household"),
    (r"^(education|office)", "office and money"),
    (r"^food/(fruit|vegetables|nuts|spices)", "fruit and vegetables"),
    (r"^food", "food and drink"),
    (r"^geography/astronomy|^science/astronomy|^space|^naturalforces", "sky and weather"),
    (r"^geography", "maps and places"),
    (r"^(people/(bodypart|body_parts|smilies)|symbols/faces)", "faces and body"),
    (r"^(people/clothing|clothes)", "clothes"),
    (r"^people", "people"),
    (r"^plants", "plants"),
    (r"^(recreation/music|hobbies/music|symbols/music)", "music"),
    (r"^(recreation/(holiday|party)|seasonal)", "holidays"),
    (r"^recreation/religion", "symbols and shapes"),
    (r"^(recreation|sports|hobbies|symbols/chess)", "sports and games"),
    (r"^(science|medical)", "tools and science"),
    (r"^signs_and_symbols/flags/semaphore", "signs and text"),
    (r"^signs_and_symbols/flags", "flags"),
    (r"^signs_and_symbols/clocks", "household"),
    (r"^(signs_and_symbols/money|symbols/money)", "office and money"),
    (r"^signs_and_symbols/weather", "sky and weather"),
    (r"^signs_and_symbols/map_symbols/aiga", "signs and text"),
    (r"^signs_and_symbols/map_symbols", "maps and places"),
    (r"^(shapes|signs_and_symbols|decorations|symbols/shapes)", "symbols and shapes"),
    (r"^symbols", "signs and text"),
    (r"^military/vehicles", "transport"),
    (r"^(tools|household/tools|military)", "tools and science"),
    (r"^transportation/(roadsigns|aiga)", "signs and text"),
    (r"^(transportation|vehicles)", "transport"),
    (r"^household/electronics", "computers and electronics"),
    (r"^household/arttools", "office and money"),
    (r"^(household|town)", "household"),
    (r"", "household"),
)

# Words of the caption that know better than the folder. Whole words, tried from the top.
WORDS: tuple[tuple[str, str], ...] = (
    (r"road sign|stop sign|warning sign|hazard label|\bsign\b(?! (?:of|in music))|signpost", SIGNS),
    (
        r"\bletter [A-Za-z]\b|the number|^number \w+ for|bar code|sign for the|kanji|"
        r"no smoking",
        SIGNS,
    ),
    (
        r"safety marking|star rating|certificate|passport stamps|traffic light|semaphore|"
        r"hot surface",
        SIGNS,
    ),
    (r"chinese character|fire diamond|package handling|eye test chart|\bWC$|\bticket\b", SIGNS),
    (
        r"^(?!.*with a \w+ flag)(.*\bflags? of\b|.*\b(?<!golf )flag$|.*coat of arms|.*signal flag)",
        "flags",
    ),
    (r"\bmap\b(?!.*symbol of)|\bglobes?\b", "maps and places"),
    (
        r"padlock|hourglass|light ?bulb|fluorescent|vacuum cleaner|umbrella|desk lamp|^lamp$",
        "household",
    ),
    (
        r"gravestone|tombstone|headstone|grave marker|cemetery|monument stone|lighthouse",
        "buildings",
    ),
    (
        r"handheld GPS|mobile phone|cell(ular)? phone|telephone(?! sign)|IP phone|"
        r"phone handset",
        DEVICES,
    ),
    (r"^(TV|television.*|a camera|printer|floppy disk|keyboard|computer mouse)$", DEVICES),
    (r"crawfish|scorpion|mosquito|butterfly|\bspider(?! sword)", "insects and sea life"),
    (r"penguin|\bTux\b(?!.*(tractor|airways))|turkey bird|pigeon|seagull|ostrich|\bduck$", "birds"),
    (
        r"^(clouds?|cloud shape|lightning|eclipse|moon|planet.*|sunshine|rainbow|"
        r"(toy |a )?rocket)$",
        SKY,
    ),
    (r"Christmas|evergreen", "holidays"),
    (r"handshake|fireman|paratrooper|teacher|student reading|^meeting|inservice", "people"),
    (
        r"^(portrait of a woman|heads? of a (man|woman|b)|(blue|woman) eyes?$|eyes?$|three faces)",
        FACES,
    ),
    (r"^(tomatoes|potato|pumpkin|mushroom|apple (bitten|with worm))$", "fruit and vegetables"),
    (r"turkey on platter", "food and drink"),
)


def dropped(origin: str) -> str:
    """Return why a picture is left out by its name, or "" when it may stay."""
    for reason, pattern in DROPPED.items():
        if re.search(pattern, origin) or re.search(pattern, "/" + origin):
            return reason
    return ""


# Bitmap stamps of Tux Paint that are drawn; the others are photographs (all were looked at).
DRAWN_STAMPS = (
    r"cartoon|symbols/(?!money)|town/(flags|monuments/inukshuk-outline)|clothes/(t_|button)"
    r"|seasonal/(easter/[bcd]|halloween/[bs]|hanukkah|newyears)|hedgehog|food/pizza|insects/fly"
    r"|christmas/(Santa|santahat|stocking|tree|bow|xmas_tp|lamp|star|hard)|final-roll|body_parts/eye"
    r"|roadsigns/(arrow|cross|give|hosp|round|stop|t-junc|toil|xing|yield)|naturalforces/fire"
    r"|balloon360|space/planets/0_sun|medical/tooth|spider_computer|fish/stripedfish"
)

SURE = ("symbols/money", "symbols/music", "plants/mushrooms", "animals/mammals", "clothes", "space")


def category(origin: str, title: str, moved: dict[str, str]) -> str:
    """Return the coarse category: a correction by hand, else the title's words, else the folder."""
    if origin in moved:
        return moved[origin]
    for pattern, name in WORDS:
        if re.search(pattern, title, re.I) and not origin.startswith(SURE):
            return name
    return folder_category(origin)


def folder_category(origin: str) -> str:
    """Return the category of the folder a picture lies in."""
    return next(name for pattern, name in FOLDERS if re.search(pattern, origin))
