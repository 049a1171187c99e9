"""Word lists for cleaning captions: what to drop, respell, capitalise, count."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Keywords that describe the file or its folder, not the picture.
JUNK_KEYWORDS = _words(
    """
    00_symbols 11 11th action activities activity airtravel alexandro app appicon
    application asl brisgeek brozo buran callouts carbohydrate carlos cccp clip
    computer_icons cv-clip default duplicates dvb en entertainment equipment fatherchristmas
    festive filesystem filesystems filled flags generic historic_flag historical_flag
    hitchhikers horizontal icon icons image jza logo logos lowercase lumen mallot
    map_symbols mathsymbol menu mime misc miscellany musichall musicstuff new nice object
    objects openoffice organizations other outlined picture place places protein pulsante
    pulsanti recreation religholiday roadtravel shape shapes sign signs signs_and_symbols
    simple stock study style sub subnational svg symbol symbols t tool tools tuttonudo
    uncategorized united_nations_member unzsnu uppercase use usholiday ussr various voip
    webpage white work
    """
)

# Keywords in another language, run together or misspelt; "" drops them.
SPELLINGS = {
    "activities": "", "airtravel": "air travel", "animale": "", "animali": "",
    "armoiries": "coat of arms", "arrowshape": "arrow", "automne": "autumn", "automobiles": "car",
    "bandeira": "", "beatle": "beetle", "big_cats": "big cat", "bilbao": "Bilbao",
    "boating": "boat", "bodypart": "body part", "brasil": "", "breads_and_carbs": "bread",
    "breizh": "Brittany", "bugs": "insect", "cartooon": "cartoon", "cellphone": "cell phone",
    "cochon": "pig", "colour": "colour", "dragonly": "dragonfly", "e": "", "ecus": "",
    "elefant": "elephant", "farfalla": "", "fastner": "fastener", "feline": "cat family",
    "felini": "", "felino": "", "foodfruits": "fruit", "forbici": "", "geagraphy": "geography",
    "gens": "", "headohones": "headphones", "homem": "", "housecats": "cat",
    "icecream": "ice cream", "imformation": "information", "karetka": "", "kawai": "cute",
    "latinamerica": "Latin America", "maetgrinder": "meat grinder", "maison": "house",
    "map_symbol": "map symbol", "mapa": "map", "maps": "map", "masstransit": "mass transit",
    "meats_and_eggs": "", "musicsym": "music", "noel": "", "northamerica": "North America",
    "noze": "nose", "odkurzacz": "", "ours": "bear", "pakaging": "packaging", "papillon": "",
    "peacesymbol": "peace", "peperoncino": "", "pere noel": "", "pesce": "", "pettine": "",
    "piment": "", "pogotowia": "", "polska": "Poland", "puntocero": "", "rana": "frog",
    "roadsign": "road sign", "roadsigns": "road sign", "rosa": "", "rubish": "rubbish",
    "sandcastle": "sand castle", "sapin de noel": "", "sattellite": "satellite", "schwarze": "",
    "signalflag": "signal flag", "silhouet": "silhouette", "sing": "", "smilies": "smiley",
    "southamerica": "South America", "squeleton": "skeleton", "stickmen": "stick man",
    "toothedwhale": "toothed whale", "turism": "tourism", "ukrane": "Ukraine",
    "unitedkingdom": "United Kingdom", "unitedstates": "United States", "usmail": "US mail",
    "vanoce": "", "vegitable": "vegetable", "voiture": "car", "wilflife": "wildlife",
    "womaneyes": "", "xmas": "Christmas", "xmass": "Christmas", "xmass tree": "Christmas tree",
}  # fmt: skip

# Words of titles, misspelt or run together.
MISSPELT = {
    "aboriginies": "Aboriginal", "ballon": "ball", "ballons": "balloons", "baloon": "balloon",
    "bbourgogne": "Bourgogne", "bussiness": "business", "bw": "in black and white",
    "cloudes": "clouds", "dollphin": "dolphin", "effeil": "eiffel",
    "flowerandpot": "flower and pot", "greyling": "grayling", "hikinh": "hiking",
    "kansasflag": "flag of Kansas", "lotas": "lotus", "magelan": "magellan", "mallot": "mallet",
    "missisipi": "Mississippi", "mulit": "multi", "pantyhose": "tights", "papaua": "Papua",
    "perogies": "pierogi", "pettle": "petal", "saphire": "sapphire", "saskatuan": "Saskatchewan",
    "silhouet": "silhouette", "southen": "southern", "sqaure": "square", "stappler": "stapler",
    "streight": "Strait", "tatoo": "tattoo", "tenessee": "Tennessee", "tux": "Tux",
    "vegitables": "vegetables", "whit": "with",
}  # fmt: skip

# Words that keep their capital.
PROPER = _words(
    """
    Africa African Alaska America American Andalusia Andorra Anglican Antarctica Argentina
    Asia Australia Australian Aztec Bach Basque Beethoven Belarus Bible Boeing Bohemia
    Brazil Britain British Brittany Buddha Bulgaria Canada Canadian Capitol Carnegie Celtic
    Chevrolet China Chinese Christ Christian Christmas Claus Cobra Coltrane Czech Denmark
    Dodge Earth Easter Egypt Egyptian Eiffel Einstein England English Estonia Estonian
    Europe European Finland Florence France French German Germany Gijon Gogh Greek Halloween
    Hanukkah Hawaiian Iceland India Indian Inuit Iraqi Ireland Irish Islands Israel Israeli
    Italian Italy Japan Japanese Jesus John Jupiter Kansas Karl King Labrador Latin Linux
    London Luther Madrid Mars Martin Maya Mercury Mexican Mexico Michigan Moon Neptune
    Norway Norwegian Oceania Pakistani Paris Peru Poland Portugal Prague Roman Romania Rubik
    Russia Russian Samoa Santa Saturn Saxony Scandinavia Scotland Shelby Skoda Slovenia
    Soviet Spain Spanish Sweden Swiss Switzerland Taiwan Texas Thanksgiving Toyota Trinidad
    Turkish Tux Ukraine Ukrainian Uranus USA Valentine Van Vancouver Venice Venus Viking
    Virgin Wales Yoga
    """
)

# Words that stay in capitals.
ACRONYMS = _words(
    """
    ABC BMW CD CPU CRT DDR DIMM DNA DVD EAN EU GIS GNU GPS IP LAN LCD LED NATO NFPA PC PDA
    RAM RAS RCA RPM SCUBA SIM TV UK UPC US USA USB VHS WC WHO XOR
    """
)

# Names of two words and more.
PLACES = (
    "Caribbean",
    "Latin America",
    "Mediterranean",
    "North America",
    "South America",
    "Star of David",
    "United Kingdom",
    "United States",
)

# Names that take no article although they are one word.
NAMES = _words(
    """
    Jupiter Mars Mercury Neptune Pluto Saturn Tux Uranus Venus
    """
)

# Things that take no "a".
UNCOUNTABLE = _words(
    """
    aerobics bacon badminton balsam bamboo baseball basketball beer bread broccoli butter
    candy cheese children chocolate clothes clothing coffee confetti corn cricket equipment
    feet fencing fire food fruit gardening garlic geese gold golf grass hair hammering
    headgear honey ice jazz judo juice karate knitting lasagna lavender lemonade lettuce
    lightning luggage macrame mail men mice milk money music origami paper pasta pavement
    people rain rice rugby salad salami sheep smoke snow soccer soup spaghetti steel tea
    teeth thyme toast volleyball water weather wine women wool yoga
    """
)

# First words of a title that only count.
COUNTERS = _words(
    """
    a an another generic my simple the yet your
    """
)

# Words that two different things often share.
COMMON_WORDS = _words(
    """
    a an and black card flag in of playing road sign the white with
    """
)

# Words that do not make another series.
SERIES_FILLERS = _words(
    """
    an big black blue brown cartoon colour coloured dark filled gray green grey light little
    lowercase of one orange outline pink purple red simple small stylized the three two
    uppercase white with yellow
    """
)
